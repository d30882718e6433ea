// SPDX-License-Identifier: Apache-2.0
// Interceptor: answers the calls on socket names of one generation, stopped by its InterceptFilter.
// A daemon that binds a listener's path gets perch's listener in the place of its own socket, and
// what would take the path or the listener away (unlink, rename, shutdown) has no effect. All else,
// and all that perch cannot make out, is the kernel's to answer: a worker never waits for perch in
// vain. It serves the worker's whole tree, for as long as it lives.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/handover/intercept_answers.h"
#include "supervisor/handover/notifications.h"

namespace perch::handover {

class Interceptor {
 public:
  struct Callbacks {
    // Every listener was bound, for the first time; may destroy the interceptor.
    std::function<void()> on_bound;
    // A line for the log. At most kMaxTroubles a generation.
    std::function<void(std::string)> on_trouble;
  };
  static constexpr int kMaxTroubles = 100;
  // What is answered at most before the loop has its turn.
  struct Share {
    int calls;
    std::chrono::milliseconds time;
  };

  // Right after the spawn of `pid`: perch must be able to read this process, or the error says what
  // to change. The kernel must know SECCOMP_IOCTL_NOTIF_ADDFD (Linux 5.9).
  static Result<std::unique_ptr<Interceptor>> serve(Loop& loop, UniqueFd notify, pid_t pid,
                                                    InterceptSettings settings,
                                                    Callbacks callbacks);

  // Answers what waits, for a tenth of a second at most: before a deadline is believed.
  void drain();
  // The listeners are these from now on: one that was claimed anew has another descriptor. What was
  // bound stays so, by name.
  void replace(std::vector<InterceptTarget> targets) { answers_.replace(std::move(targets)); }
  [[nodiscard]] const InterceptCounts& counts() const noexcept { return answers_.counts(); }
  [[nodiscard]] bool all_bound() const noexcept { return answers_.all_bound(); }

  Interceptor(Notifications notifications, InterceptSettings settings, Callbacks callbacks);

 private:
  Result<void> start(Loop& loop);
  void serve_waiting(const Share& share);
  // False when nothing waits any more.
  bool serve_one();
  void answer(const Notification& notification);
  void tell(std::string line);

  Notifications notifications_;
  InterceptAnswers answers_;
  // Shared with a call that is under way, which may destroy the interceptor; expires with it.
  std::shared_ptr<const Callbacks> callbacks_;
  int troubles_ = 0;
  std::optional<FdWatcher> watcher_;
};

}  // namespace perch::handover
