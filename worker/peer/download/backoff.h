// SPDX-License-Identifier: Apache-2.0
// Backoff: how long to leave an origin alone that has just failed. Each failure in a row doubles
// the delay, half of which is left to chance so that peers do not come back together. Pure but for
// its seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

namespace perch::peer {

class Backoff {
 public:
  static constexpr int kMaxFailuresInRow = 8;
  static constexpr std::chrono::milliseconds kFirstDelay{100};
  static constexpr std::chrono::milliseconds kMaxDelay{5000};
  // An origin that wants to be left alone for longer is not waited for.
  static constexpr std::chrono::seconds kMaxRetryAfter{60};

  explicit Backoff(std::uint32_t seed) : random_(seed) {}

  // The delay after one more failure, not less than the origin wishes; nothing: give up.
  std::optional<std::chrono::milliseconds> next(std::chrono::seconds retry_after);
  // It brought something: the next failure is the first one again.
  void reset() noexcept { failures_in_row_ = 0; }

 private:
  std::minstd_rand random_;
  int failures_in_row_ = 0;
};

}  // namespace perch::peer
