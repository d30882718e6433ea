// SPDX-License-Identifier: Apache-2.0
// Deadline: the one deadline of a worker instance. Before it is believed, what has already arrived
// is heard: libuv runs expired timers before it polls, so after a SIGSTOP or a freeze a deadline
// would win against the news that met it. If perch itself was late, it counts once more.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "common/loop/loop.h"
#include "common/loop/timer.h"

namespace perch {

class Deadline {
 public:
  Deadline(Loop& loop, std::function<void()> on_passed);

  void arm(std::chrono::nanoseconds from_now);
  void disarm() noexcept {
    timer_.disarm();
    at_.reset();
  }
  // Moves the deadline away to at least `from_now`; never nearer. No effect when there is none; one
  // that has just passed comes back while its callback runs.
  void extend(std::chrono::nanoseconds from_now);
  [[nodiscard]] bool armed() const noexcept { return timer_.armed(); }
  [[nodiscard]] std::chrono::nanoseconds remaining() const;

 private:
  void on_expiry(std::chrono::milliseconds late);

  Timer timer_;
  std::function<void()> on_passed_;
  std::chrono::nanoseconds period_{0};
  std::optional<std::chrono::steady_clock::time_point> at_;  // until disarmed
  bool excused_ = false;
};

}  // namespace perch
