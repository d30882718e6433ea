// SPDX-License-Identifier: Apache-2.0
#include "supervisor/lifecycle/recycling.h"

#include <algorithm>

namespace perch::lifecycle {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using DoubleNanoseconds = std::chrono::duration<double, std::nano>;

// Where the limit is unknown, or hardly above the mark.
constexpr double kLeastHeadroom = 0.05;
// No worker is drained and started again in less, so nobody has to be quicker.
constexpr std::chrono::seconds kFastestLeak{1};

double headroom(const RecycleRule& rule) {
  const auto least = static_cast<double>(rule.mark) * kLeastHeadroom;
  if (!rule.limit || *rule.limit <= rule.mark) return least;
  return std::max(static_cast<double>(*rule.limit - rule.mark), least);
}

}  // namespace

nanoseconds shortest_sleep(const RecycleRule& rule) {
  return std::clamp<nanoseconds>(rule.after / 5, milliseconds(100), milliseconds(1'000));
}

nanoseconds sleep_after(const RecycleRule& rule, std::uint64_t bytes, nanoseconds longest) {
  const nanoseconds shortest = shortest_sleep(rule);
  if (bytes >= rule.mark) return shortest;
  const auto distance = static_cast<double>(rule.mark - bytes);
  const auto to_limit = std::max<nanoseconds>(rule.after, kFastestLeak);
  const auto until = DoubleNanoseconds(to_limit) * (distance / headroom(rule));
  if (until >= longest) return longest;
  return std::clamp(std::chrono::duration_cast<nanoseconds>(until), shortest, longest);
}

}  // namespace perch::lifecycle
