// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/token_bucket.h"

#include <algorithm>

namespace perch::peer {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

nanoseconds TokenBucket::wait(Time now) const {
  return std::max<nanoseconds>(paid_until_ - now, nanoseconds::zero());
}

void TokenBucket::spend(std::uint64_t bytes, Time now) {
  if (rate_ == 0) return;
  const duration<double> worth(static_cast<double>(bytes) / static_cast<double>(rate_));
  paid_until_ = std::max(paid_until_, now - kBurst) + duration_cast<nanoseconds>(worth);
}

}  // namespace perch::peer
