// SPDX-License-Identifier: Apache-2.0
#include "supervisor/recycling.h"

#include <fmt/format.h>

#include <utility>

#include "common/value/human.h"
#include "supervisor/config/units.h"
#include "supervisor/process/memory_evidence.h"

namespace perch {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Somewhat below the mark: the kernel looks at its thresholds once in 128 pages, on each processor.
std::uint64_t threshold_of(const lifecycle::RecycleRule& rule) {
  return rule.mark - (rule.mark / 16);
}

}  // namespace

Recycling::Recycling(Loop& loop, Hooks hooks)
    : loop_(loop),
      hooks_(std::move(hooks)),
      timer_(loop, [this](milliseconds) { look(Woken::ByTime); }) {}

void Recycling::start(Task task) {
  stop();
  task_ = std::move(task);
  auto news = process::MemoryNews::create(loop_, task_.cgroup, threshold_of(task_.rule),
                                          [this] { look(Woken::ByNews); });
  // Without news it is looked by time alone, which the documentation says.
  if (news) news_.emplace(std::move(*news));
  timer_.arm(lifecycle::shortest_sleep(task_.rule));
}

void Recycling::stop() {
  timer_.disarm();
  news_.reset();
  above_since_.reset();
}

void Recycling::look(Woken woken) {
  // Before the look: what comes after it is heard.
  if (woken == Woken::ByTime && news_) news_->listen();
  const std::optional<std::uint64_t> bytes = hooks_.bytes();
  if (due(bytes)) {
    if (hooks_.to_blame()) {
      const std::string text = why(*bytes);
      stop();
      return hooks_.replace(text);
    }
    // Another worker goes for it, which may help this one.
    above_since_.reset();
  }
  sleep(bytes.value_or(0), woken);
}

bool Recycling::due(std::optional<std::uint64_t> bytes) {
  if (!bytes || *bytes < task_.rule.mark) {
    above_since_.reset();
    return false;
  }
  const auto now = steady_clock::now();
  if (!above_since_) above_since_ = now;
  return lifecycle::is_due(task_.rule, now - *above_since_);
}

void Recycling::sleep(std::uint64_t bytes, Woken woken) {
  const bool listening = woken == Woken::ByTime && news_;
  if (listening && kernel_tells()) return;
  timer_.arm(lifecycle::sleep_after(
      task_.rule, bytes, listening ? lifecycle::kLongestWatchedSleep : lifecycle::kLongestSleep));
}

// Whatever the worker does, usage has to pass the threshold first.
bool Recycling::kernel_tells() const {
  if (news_->reach() != process::MemoryNews::Reach::Complete) return false;
  const auto usage = process::read_memory_evidence(task_.cgroup).usage_bytes;
  return usage && *usage < threshold_of(task_.rule);
}

std::string Recycling::why(std::uint64_t bytes) const {
  const auto after = std::chrono::duration_cast<milliseconds>(task_.rule.after);
  return fmt::format("non-reclaimable memory {} above {} for {}", human_bytes(bytes), task_.mark,
                     config::duration_text(after));
}

}  // namespace perch
