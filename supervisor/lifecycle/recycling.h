// SPDX-License-Identifier: Apache-2.0
// Recycling: when a worker has too much memory, and when to look again. Pure.
//
// A look must neither be needed all the time nor come too late. A leak can be stopped in time only
// if it takes longer from the mark to the limit than a worker has to be above the mark; a faster
// one is killed first, however often one looks. So, as far as the mark is away, the fastest leak
// that is worth waiting for needs at least
//     after * (mark - now) / (limit - mark)
// to get there, and until then nobody has to look; an `after` below a second counts as one here.
// What jumps above the mark and stays there is found late by the longest sleep and no more.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace perch::lifecycle {

struct RecycleRule {
  std::uint64_t mark = 0;                // bytes
  std::optional<std::uint64_t> limit{};  // where the kernel kills
  std::chrono::nanoseconds after{0};     // how long above the mark
};

// The longest sleep: where the kernel tells nothing, and where it would tell of some trouble.
inline constexpr std::chrono::seconds kLongestSleep{10};
inline constexpr std::chrono::seconds kLongestWatchedSleep{60};

// Above the mark for `above_for`, the last look included.
constexpr bool is_due(const RecycleRule& rule, std::chrono::nanoseconds above_for) {
  return above_for >= rule.after;
}

// A fifth of `after`, at least 100 ms and at most a second: near the mark and above it.
std::chrono::nanoseconds shortest_sleep(const RecycleRule& rule);
// From a look that found `bytes` to the next.
std::chrono::nanoseconds sleep_after(const RecycleRule& rule, std::uint64_t bytes,
                                     std::chrono::nanoseconds longest);

}  // namespace perch::lifecycle
