// SPDX-License-Identifier: Apache-2.0
// HealPace: how often one listener is healed. Somebody who takes the path away again and again is
// most often a worker that binds for itself; after ten heals within a second perch leaves the path
// alone for a while, and for longer each time, so that whoever wants it gets it. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace perch::listener {

class HealPace {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kHeals = 10;
  static constexpr std::chrono::seconds kWithin{1};
  static constexpr std::chrono::seconds kFirstPause{1};
  static constexpr std::chrono::seconds kLongestPause{30};
  static constexpr std::chrono::seconds kForgottenAfter{60};

  // How long the path is left alone from now on; nothing: it may be healed.
  std::optional<Clock::duration> pause(Clock::time_point now);
  void note_heal(Clock::time_point now);

 private:
  [[nodiscard]] bool too_many(Clock::time_point now) const;

  std::array<Clock::time_point, kHeals> heals_{};  // a ring
  std::size_t next_ = 0;
  std::size_t seen_ = 0;  // of the ring's places, since the last pause
  Clock::duration length_ = kFirstPause;
  Clock::time_point paused_until_{};
};

}  // namespace perch::listener
