// SPDX-License-Identifier: Apache-2.0
#include "supervisor/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace perch {
namespace {

constexpr std::size_t kMaxDeaths = 10;
constexpr std::size_t kMaxOutages = 1000;

// The nearest-rank quantile of sorted values.
control::Seconds quantile(const std::vector<control::Seconds>& sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace

void Statistics::on_death(control::DeathRecord record, Steady now) {
  ++deaths_.at(static_cast<std::size_t>(record.cause));
  // A generation that dies before it is ready prolongs the outage of the one before.
  if (!down_since_) down_since_ = now;
  last_deaths_.push_front(std::move(record));
  if (last_deaths_.size() > kMaxDeaths) last_deaths_.pop_back();
}

void Statistics::add_to_death(std::uint64_t generation, const std::string& detail) {
  const auto death = std::ranges::find(last_deaths_, generation, &control::DeathRecord::generation);
  if (death != last_deaths_.end()) death->detail += "; " + detail;
}

void Statistics::on_ready(Steady started, Steady now) {
  startup_histogram_.observe(now - started);
  if (!down_since_) return;
  outages_.emplace_back(now - *down_since_);
  outage_histogram_.observe(outages_.back());
  if (outages_.size() > kMaxOutages) outages_.pop_front();
  down_since_.reset();
}

std::optional<lifecycle::Cause> Statistics::last_cause() const {
  if (last_deaths_.empty()) return std::nullopt;
  return last_deaths_.front().cause;
}

control::Outage Statistics::outage() const {
  if (outages_.empty()) return {};
  std::vector<control::Seconds> sorted(outages_.begin(), outages_.end());
  std::ranges::sort(sorted);
  return {.last = outages_.back(),
          .p50 = quantile(sorted, 0.50),
          .p99 = quantile(sorted, 0.99),
          .max = sorted.back()};
}

void Statistics::describe(control::WorkerStatus& status) const {
  status.starts = starts_;
  status.deaths = deaths_;
  status.oom_in_tree = oom_in_tree_;
  status.unattributed_orphans = unattributed_;
  status.outage = outage();
  status.outages = outage_histogram_;
  status.startups = startup_histogram_;
  status.last_deaths.assign(last_deaths_.begin(), last_deaths_.end());
}

}  // namespace perch
