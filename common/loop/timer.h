// SPDX-License-Identifier: Apache-2.0
// Timer: one deadline on the loop. Arming it again moves the deadline; destroying it disarms it.
// The callback may arm, disarm or destroy the timer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "common/loop/loop.h"

namespace perch {

class Timer {
 public:
  // `late` is how long after its deadline the callback runs: libuv 1.44 runs expired timers before
  // it polls, so after a SIGSTOP or a freeze a deadline comes before the news that met it.
  using Callback = std::function<void(std::chrono::milliseconds late)>;

  Timer(Loop& loop, Callback on_expiry);
  ~Timer();
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;

  // Rounded up to the next millisecond; a negative time counts as zero.
  void arm(std::chrono::nanoseconds from_now);
  void disarm() noexcept;
  [[nodiscard]] bool armed() const noexcept;

 private:
  struct Box;
  struct Closer {
    void operator()(Box* box) const noexcept;
  };
  std::unique_ptr<Box, Closer> box_;
};

}  // namespace perch
