// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/event_log.h"

#include <algorithm>
#include <utility>

namespace perch::control {

void EventLog::add(Event event) {
  event.id = ++last_id_;
  event.at = std::chrono::system_clock::now();
  if (event.death) event.death->stderr_tail.clear();
  kept_.push_back(std::move(event));
  if (kept_.size() > kCapacity) kept_.pop_front();
  std::erase_if(followers_, [](const auto& follower) { return follower.expired(); });
  for (const auto& follower : followers_) {
    if (const auto told = follower.lock()) (*told)();
  }
}

EventLog::Follower EventLog::follow(std::function<void()> on_added) {
  auto follower = std::make_shared<const std::function<void()>>(std::move(on_added));
  followers_.push_back(follower);
  return follower;
}

std::size_t EventLog::followers() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(followers_, [](const auto& follower) { return !follower.expired(); }));
}

}  // namespace perch::control
