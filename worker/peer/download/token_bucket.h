// SPDX-License-Identifier: Apache-2.0
// TokenBucket: holds bytes to a rate. In any time t at most rate x (t + kBurst) bytes pass, and the
// last block over it: a block passes whenever nothing is owed, whatever its size, and is paid for
// before the next one. Pure: the clock is the caller's.
#pragma once

#include <chrono>
#include <cstdint>

namespace perch::peer {

class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kBurst{50};

  // No limit where the rate is 0.
  explicit TokenBucket(std::uint64_t bytes_a_second) : rate_(bytes_a_second) {}

  // How long until something may pass; zero: now.
  [[nodiscard]] std::chrono::nanoseconds wait(Time now) const;
  void spend(std::uint64_t bytes, Time now);

 private:
  std::uint64_t rate_;
  Time paid_until_{};  // what has passed is worth the time until then
};

}  // namespace perch::peer
