// SPDX-License-Identifier: Apache-2.0
// EventLog: the last events, bounded, and those who follow them. Adding one costs no system call;
// followers are told from within add(), and must do their work later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "supervisor/control/event.h"

namespace perch::control {

class EventLog {
 public:
  static constexpr std::size_t kCapacity = 500;

  // Calls for as long as the caller keeps it; the log may die first.
  using Follower = std::shared_ptr<const std::function<void()>>;

  EventLog() = default;
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Numbers it and notes the time.
  void add(Event event);
  // The number of the newest event; 0: none yet.
  [[nodiscard]] std::uint64_t last_id() const noexcept { return last_id_; }
  // The number of the oldest one kept, or that of the next one.
  [[nodiscard]] std::uint64_t first_id() const noexcept { return last_id_ + 1 - kept_.size(); }
  // Oldest first.
  [[nodiscard]] const std::deque<Event>& kept() const noexcept { return kept_; }

  // `on_added` must neither subscribe nor end a subscription; it may arm a timer.
  [[nodiscard]] Follower follow(std::function<void()> on_added);
  [[nodiscard]] std::size_t followers() const;

 private:
  std::deque<Event> kept_;
  std::uint64_t last_id_ = 0;
  std::vector<std::weak_ptr<const std::function<void()>>> followers_;
};

}  // namespace perch::control
