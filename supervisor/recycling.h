// SPDX-License-Identifier: Apache-2.0
// Recycling: watches how much memory a running worker needs and tells when it is to be replaced,
// before the kernel kills it. What counts and when to look is in process/unreclaimable_memory and
// lifecycle/recycling; here looks, news and time come together.
//
// It sleeps while the kernel would tell (usage below a threshold, version 1). Else it looks again
// by time, the farther from the mark the later, and news only brings a look forward: after one it
// hears nothing until the next look by time, so that page cache, which makes news without end,
// makes two looks in ten seconds at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "supervisor/lifecycle/recycling.h"
#include "supervisor/process/memory_cgroup.h"
#include "supervisor/process/memory_news.h"

namespace perch {

class Recycling {
 public:
  struct Task {
    lifecycle::RecycleRule rule;
    std::string mark;              // for people: "90% of 512.0 MiB"
    process::MemoryCgroup cgroup;  // whose news is heard; none: looks go by time alone
  };
  struct Hooks {
    std::function<std::optional<std::uint64_t>()> bytes;  // that cannot be reclaimed, now
    // The mark was passed; is this worker to go for it? Where the memory is that of several, all of
    // them ask.
    std::function<bool()> to_blame;
    // Asked once for a task. The text says what was found.
    std::function<void(const std::string& why)> replace;
  };

  Recycling(Loop& loop, Hooks hooks);

  // From here on, in place of any other task.
  void start(Task task);
  void stop();

 private:
  enum class Woken { ByTime, ByNews };
  void look(Woken woken);
  void sleep(std::uint64_t bytes, Woken woken);
  [[nodiscard]] bool due(std::optional<std::uint64_t> bytes);
  [[nodiscard]] bool kernel_tells() const;
  [[nodiscard]] std::string why(std::uint64_t bytes) const;

  Loop& loop_;
  Hooks hooks_;
  Task task_;
  Timer timer_;
  std::optional<process::MemoryNews> news_;
  std::optional<std::chrono::steady_clock::time_point> above_since_;
};

}  // namespace perch
