// SPDX-License-Identifier: Apache-2.0
// MemoryNews: tells on the loop that a cgroup's memory may be short, so that nobody has to look all
// the time. Hints only: the callback has to look for itself, and page cache makes news as well.
// After one piece of news it is silent until listen(): a cgroup that is full of page cache could
// make news without end.
//  - version 1: a threshold of memory.usage_in_bytes. Usage is never less than what cannot be
//    reclaimed, so while it is below, there is nothing to look for: `Complete`.
//  - version 2: memory.events (usage met memory.high or memory.max) and, where it may be opened, a
//    trigger on memory.pressure. Usage may go far without either: `Hints`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/loop/loop.h"
#include "common/value/error.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

class MemoryNews {
 public:
  enum class Reach { Hints, Complete };
  using Callback = std::function<void()>;

  // Silent until listen(). An error where the kernel offers no news: no memory cgroup, the root of
  // a hierarchy, or one of version 1 that is mounted read-only. `usage`: the threshold, in bytes.
  static Result<MemoryNews> create(Loop& loop, const MemoryCgroup& cgroup, std::uint64_t usage,
                                   Callback on_news);
  ~MemoryNews();
  MemoryNews(MemoryNews&&) noexcept;
  MemoryNews& operator=(MemoryNews&&) noexcept;

  [[nodiscard]] Reach reach() const noexcept;
  // Forgets what came until now, and tells what comes next, once. Then look: news that the look
  // has not seen will come.
  void listen();

 private:
  class State;
  explicit MemoryNews(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace perch::process
