// SPDX-License-Identifier: Apache-2.0
// Histogram: how many durations were how long, in fixed buckets from a millisecond, where a respawn
// ends that nothing delays, to the minutes of a worker that reads its data first. A plain value.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace perch::control {

struct Histogram {
  // Upper bounds in seconds, each inclusive.
  static constexpr std::array kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,
                                      0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0, 300.0};

  std::array<std::uint64_t, kBounds.size() + 1> counts{};  // the last: longer than all bounds
  double sum = 0;                                          // in seconds

  void observe(std::chrono::duration<double> duration) {
    const auto* const bound = std::ranges::lower_bound(kBounds, duration.count());
    ++counts.at(static_cast<std::size_t>(bound - kBounds.begin()));
    sum += duration.count();
  }
  [[nodiscard]] std::uint64_t count() const {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }
};

}  // namespace perch::control
