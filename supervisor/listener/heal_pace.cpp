// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/heal_pace.h"

#include <algorithm>

namespace perch::listener {

std::optional<HealPace::Clock::duration> HealPace::pause(Clock::time_point now) {
  if (now < paused_until_) return paused_until_ - now;
  if (!too_many(now)) return std::nullopt;
  if (now - paused_until_ > kForgottenAfter) length_ = kFirstPause;
  const Clock::duration pause = length_;
  length_ = std::min<Clock::duration>(length_ * 2, kLongestPause);
  paused_until_ = now + pause;
  seen_ = 0;
  return pause;
}

void HealPace::note_heal(Clock::time_point now) {
  heals_.at(next_) = now;
  next_ = (next_ + 1) % kHeals;
  seen_ = std::min(seen_ + 1, kHeals);
}

bool HealPace::too_many(Clock::time_point now) const {
  return seen_ == kHeals && now - heals_.at(next_) < kWithin;
}

}  // namespace perch::listener
