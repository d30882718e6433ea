// SPDX-License-Identifier: Apache-2.0
// InterceptFilter: the seccomp program that stops a worker's calls on socket names until perch has
// answered them (seccomp_unotify(2)). It is made by libseccomp, before any spawn, and runs in the
// kernel: every other call costs a worker next to nothing. Callers of an architecture it does not
// know (x32, 32-bit ARM) are not stopped: their calls go to the kernel as without perch.
#pragma once

#include <linux/filter.h>

#include <span>
#include <string>
#include <vector>

#include "common/value/error.h"

namespace perch::handover {

// Which calls are stopped beside bind, listen, shutdown, unlink and rename, which always are.
struct FilterPlan {
  bool probe_guard = true;           // connect(2), but not a TCP client's
  bool mode_guard = false;           // chmod(2)
  std::vector<std::string> paths{};  // of the listeners, '@' for abstract names
};

class InterceptFilter {
 public:
  // Fails where libseccomp does. What the kernel thinks of the filter is told by the spawn.
  static Result<InterceptFilter> build(const FilterPlan& plan);

  // For seccomp(SECCOMP_SET_MODE_FILTER) with SECCOMP_FILTER_FLAG_NEW_LISTENER.
  [[nodiscard]] std::span<const sock_filter> program() const noexcept { return program_; }

 private:
  explicit InterceptFilter(std::vector<sock_filter> program) : program_(std::move(program)) {}
  std::vector<sock_filter> program_;
};

}  // namespace perch::handover
