// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/connection_slots.h"

#include <algorithm>

namespace perch::peer {

void ConnectionSlots::ask(Task& task) {
  if (std::ranges::find(waiting_, &task) != waiting_.end()) return;
  waiting_.push_back(&task);
  if (free_ == 0 && held_by(&task) == 0) {
    const auto most =
        std::ranges::max_element(held_, {}, &std::pair<Task* const, std::size_t>::second);
    if (most != held_.end() && most->second > 1) most->first->on_crowded();
  }
  grant();
}

void ConnectionSlots::withdraw(Task& task) { std::erase(waiting_, &task); }

void ConnectionSlots::grant() {
  while (free_ > 0 && !waiting_.empty()) {
    const auto next =
        std::ranges::min_element(waiting_, {}, [this](Task* task) { return held_by(task); });
    Task& task = **next;
    waiting_.erase(next);
    --free_;
    ++held_[&task];
    task.on_slot(Slot(*this, task));
  }
}

void ConnectionSlots::give_back(Task& task) {
  if (const auto held = held_.find(&task); --held->second == 0) held_.erase(held);
  ++free_;
  grant();
}

std::size_t ConnectionSlots::held_by(Task* task) const {
  const auto held = held_.find(task);
  return held == held_.end() ? 0 : held->second;
}

}  // namespace perch::peer
