// SPDX-License-Identifier: Apache-2.0
// What a Supervisor says of itself in the status document.
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

#include "supervisor/supervisor.h"

namespace perch {
namespace {

// The line is to stay short.
constexpr std::size_t kNamedInStatus = 3;

}  // namespace

control::Status Supervisor::status() {
  control::Status status;
  status.perch.version = PERCH_VERSION;
  status.perch.pid = ::getpid();
  status.perch.started_at = started_at_;
  status.perch.uptime = std::chrono::steady_clock::now() - started_;
  status.perch.config = source_.file;
  status.perch.reloads = reloads_;
  const process::OomPlan protected_by = protection();
  status.perch.oom_protection = {std::string(process::name(protected_by.tier)),
                                 protected_by.detail};
  status.perch.keeper = keeping_.status();
  status.perch.log_dropped = log_.dropped();
  status.listeners = listeners_.status();
  status.perch.process = own_process_figures();
  for (const auto& [name, instance] : instances_) status.workers[name] = instance->status();
  return status;
}

std::vector<std::string> Supervisor::not_ready() {
  std::vector<std::string> names;
  for (const auto& [name, instance] : instances_) {
    const bool ready = std::holds_alternative<lifecycle::Ready>(instance->state());
    const bool counts = instance->config().required && !retired_.contains(name);
    if (counts && !ready) names.push_back(name);
  }
  return names;
}

// For a service manager, whose users want to know at a glance whether all is well.
ParentNotify::Standing Supervisor::standing() {
  if (phase_ == Phase::Claiming) return {.status = "waiting for the listeners' paths"};
  if (phase_ == Phase::Ending) return {.status = "stopping"};
  std::vector<std::string> away;
  for (const auto& [name, instance] : instances_) {
    const bool ready = std::holds_alternative<lifecycle::Ready>(instance->state());
    if (!ready && !retired_.contains(name)) away.push_back(name);
  }
  const std::size_t all = instances_.size() - retired_.size();
  std::string status = fmt::format("{} of {} workers ready", all - away.size(), all);
  const std::size_t unnamed = away.size() - std::min(away.size(), kNamedInStatus);
  away.resize(away.size() - unnamed);
  if (!away.empty()) status += fmt::format("; not {}", fmt::join(away, ", "));
  if (unnamed > 0) status += fmt::format(" and {} more", unnamed);
  return {.ready = not_ready().empty(), .status = std::move(status)};
}

// As long as perch itself waits: for the owners of its paths, then for its workers.
std::chrono::milliseconds Supervisor::patience_of_start() const {
  std::chrono::milliseconds owners{0};
  std::chrono::milliseconds readiness{0};
  for (const auto& [name, listener] : config_.listeners) {
    owners = std::max(owners, listener.wait_for_owner);
  }
  for (const auto& [name, worker] : config_.workers) {
    readiness = std::max(readiness, worker.readiness.timeout);
  }
  return owners + readiness;
}

}  // namespace perch
