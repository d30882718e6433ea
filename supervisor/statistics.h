// SPDX-License-Identifier: Apache-2.0
// Statistics: what perch remembers of one worker, for status: starts, deaths by cause, the last
// deaths with their evidence, and how long clients had to wait each time. Bounded.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "supervisor/control/status.h"
#include "supervisor/lifecycle/cause.h"

namespace perch {

class Statistics {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  void on_start() { ++starts_; }
  // An outage begins with a death, and ends when the next generation is ready.
  void on_death(control::DeathRecord record, Steady now);
  // More about the death of a generation than was known at first.
  void add_to_death(std::uint64_t generation, const std::string& detail);
  void on_ready(Steady started, Steady now);
  // The worker was stopped on purpose: nobody is kept waiting by perch.
  void on_rest() { down_since_.reset(); }
  void on_oom_in_tree(std::uint64_t kills) { oom_in_tree_ += kills; }
  void on_unattributed(std::uint64_t orphans) { unattributed_ += orphans; }

  [[nodiscard]] std::optional<lifecycle::Cause> last_cause() const;
  // Fills in the fields that come from here.
  void describe(control::WorkerStatus& status) const;

 private:
  [[nodiscard]] control::Outage outage() const;

  std::uint64_t starts_ = 0;
  std::array<std::uint64_t, lifecycle::kAllCauses.size()> deaths_{};
  std::uint64_t oom_in_tree_ = 0;
  std::uint64_t unattributed_ = 0;
  std::deque<control::DeathRecord> last_deaths_;  // newest first
  std::deque<control::Seconds> outages_;          // newest last
  control::Histogram outage_histogram_;
  control::Histogram startup_histogram_;
  std::optional<Steady> down_since_;
};

}  // namespace perch
