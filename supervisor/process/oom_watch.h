// SPDX-License-Identifier: Apache-2.0
// OomWatch: tells on the loop that a memory cgroup's OOM counter may have grown, so that a kill
// which ends no worker is seen without polling. A hint only: the callback reads the counter, may
// find it as it was, and is called more often than there are kills. It may destroy the watch.
// Version 2: inotify on memory.events. Version 1: an eventfd, which the kernel signals *before* it
// picks and counts a victim; so the callback runs at once and twice more in the second after it.
#pragma once

#include <functional>
#include <memory>

#include "common/loop/loop.h"
#include "common/value/error.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

class OomWatch {
 public:
  using Callback = std::function<void()>;

  // An error where the kernel offers no news: no memory cgroup, the root of version 2, or a version
  // 1 hierarchy mounted read-only, as in most containers. Then read the counter at deaths only.
  static Result<OomWatch> create(Loop& loop, const MemoryCgroup& cgroup, Callback on_news);
  ~OomWatch();
  OomWatch(OomWatch&&) noexcept;
  OomWatch& operator=(OomWatch&&) noexcept;

 private:
  class State;
  explicit OomWatch(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace perch::process
