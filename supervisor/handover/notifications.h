// SPDX-License-Identifier: Apache-2.0
// Notifications: the queue of calls that a seccomp filter has stopped, and the only place that asks
// the kernel about it (seccomp_unotify(2)). Nothing here waits, but for a moment. A caller may be
// killed at any time: then its notification is gone, and an answer to it is dropped.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::handover {

using Notification = seccomp_notif;

// What the caller of a stopped call gets.
struct Answer {
  enum class By { Kernel, Perch };
  By by = By::Kernel;
  int error = 0;  // by perch: 0, or the errno that the call fails with
  bool operator==(const Answer&) const = default;

  static constexpr Answer by_kernel() noexcept { return {}; }
  static constexpr Answer done() noexcept { return {By::Perch, 0}; }
  static constexpr Answer refused(int error) noexcept { return {By::Perch, error}; }
};

enum class CloseOnExec : bool { No, Yes };

class Notifications {
 public:
  // Takes the descriptor that seccomp(2) gave for SECCOMP_FILTER_FLAG_NEW_LISTENER. Fails on
  // kernels that cannot put a descriptor into another process (before Linux 5.9).
  static Result<Notifications> open(UniqueFd fd);

  enum class State { Waiting, Empty, Ended };  // Ended: the last process with the filter is gone
  [[nodiscard]] State state() const;
  // To be called when Waiting, else it would block. None if the caller was killed meanwhile.
  std::optional<Notification> receive();
  [[nodiscard]] bool still_waits(std::uint64_t id) const;
  // The caller's descriptor `target` becomes a copy of our `source`, whatever it was before.
  // Waits for its thread to run, half a second at most.
  Result<void> put_descriptor(std::uint64_t id, int source, int target, CloseOnExec close_on_exec);
  // The caller may have been killed, or interrupted where the kernel cannot hold signals back.
  enum class Delivery { Done, NobodyWaits };
  Result<Delivery> answer(std::uint64_t id, Answer answer);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  Notifications(UniqueFd fd, const seccomp_notif_sizes& sizes);

  UniqueFd fd_;
  // As large as the kernel's own structures, which may have grown since this was compiled.
  std::vector<std::uint64_t> received_;
  std::vector<std::uint64_t> response_;
};

}  // namespace perch::handover
