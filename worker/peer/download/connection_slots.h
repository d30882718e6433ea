// SPDX-License-Identifier: Apache-2.0
// ConnectionSlots: who may have a connection to an origin now. There are so many in all; one that
// is free goes to the task that has the fewest, and among equals to the one that has waited
// longest. While all are taken, a task without any is let in all the same: the one with the most
// gives up one, which costs little because pieces are resumed inside.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <utility>

namespace perch::peer {

class ConnectionSlots {
 public:
  // The right to one connection; it is given back when it is destroyed.
  class Slot;
  class Task {
   public:
    virtual ~Task() = default;
    // Maybe from within ask(); the slot may be dropped at once.
    virtual void on_slot(Slot slot) = 0;
    // Another task has none: give back one of yours, or none if that would cost too much.
    virtual void on_crowded() = 0;
  };

  explicit ConnectionSlots(std::size_t in_all) : free_(in_all) {}

  // on_slot() follows when it is this task's turn; asking again before that changes nothing.
  void ask(Task& task);
  // It no longer waits.
  void withdraw(Task& task);

 private:
  void grant();
  void give_back(Task& task);
  [[nodiscard]] std::size_t held_by(Task* task) const;

  std::size_t free_;
  std::map<Task*, std::size_t> held_;  // by those that hold any
  std::deque<Task*> waiting_;
};

class ConnectionSlots::Slot {
 public:
  Slot(ConnectionSlots& slots, Task& task) : slots_(&slots), task_(&task) {}
  Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)), task_(other.task_) {}
  Slot& operator=(Slot&&) = delete;
  ~Slot() {
    if (slots_ != nullptr) slots_->give_back(*task_);
  }

 private:
  ConnectionSlots* slots_;
  Task* task_;
};

}  // namespace perch::peer
