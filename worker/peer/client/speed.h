// SPDX-License-Identifier: Apache-2.0
// Speed: how fast something grows, over the last seconds: long enough that pieces, which come
// whole, do not make it jump, and short enough that a stall is seen. Pure: the time is given.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

namespace perch::peer {

class Speed {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // It begins with nothing at `start`.
  explicit Speed(Time start) : samples_{{start, 0}} {}

  // `total` so far; less than before means that it began anew.
  void add(Time now, std::uint64_t total);
  // Bytes a second.
  [[nodiscard]] double at(Time now) const;

 private:
  struct Sample {
    Time at;
    std::uint64_t total;
  };
  std::deque<Sample> samples_;  // never empty; the first is where the window begins
};

}  // namespace perch::peer
