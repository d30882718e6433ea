// SPDX-License-Identifier: Apache-2.0
// BoundedWait: a system call that is made while it lives, and waits for longer, fails with EINTR.
// For the few that know no timeout of their own. It has a signal handler, of perch the only one,
// which does nothing and is gone with it: there is none while a child is made (spawn.h).
#pragma once

#include <signal.h>
#include <time.h>

#include <chrono>

namespace perch::handover {

class BoundedWait {
 public:
  // Without a timer (no memory) the wait is as long as the kernel's.
  explicit BoundedWait(std::chrono::milliseconds longest) noexcept;
  ~BoundedWait();  // errno stays
  BoundedWait(const BoundedWait&) = delete;
  BoundedWait& operator=(const BoundedWait&) = delete;

 private:
  timer_t timer_{};
  bool has_timer_ = false;
  struct sigaction action_before_{};
  sigset_t blocked_before_{};
};

}  // namespace perch::handover
