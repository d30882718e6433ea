// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/backoff.h"

#include <algorithm>

namespace perch::peer {

using std::chrono::milliseconds;

std::optional<milliseconds> Backoff::next(std::chrono::seconds retry_after) {
  if (failures_in_row_ >= kMaxFailuresInRow || retry_after > kMaxRetryAfter) return std::nullopt;
  const milliseconds longest = std::min(kMaxDelay, kFirstDelay * (1 << failures_in_row_));
  failures_in_row_ += 1;
  std::uniform_int_distribution<milliseconds::rep> chance(longest.count() / 2, longest.count());
  return std::max<milliseconds>(milliseconds(chance(random_)), retry_after);
}

}  // namespace perch::peer
