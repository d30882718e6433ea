// SPDX-License-Identifier: Apache-2.0
// What others ask of a running Supervisor: signals, the kernel's news and actions.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "supervisor/config/nearest.h"
#include "supervisor/config/units.h"
#include "supervisor/supervisor.h"

namespace perch {

using lifecycle::Event;

namespace {

std::unexpected<control::ActionRefused> refuse_now(std::string_view why) {
  return std::unexpected(
      control::ActionRefused{control::ActionRefused::Why::NotNow, std::string(why)});
}

Event event_of(control::WorkerAction action) {
  switch (action) {
    case control::WorkerAction::Start:
      return Event::StartRequested;
    case control::WorkerAction::Stop:
      return Event::StopRequested;
    case control::WorkerAction::Restart:
      return Event::RestartRequested;
  }
  return Event::StartRequested;
}

std::string no_such_worker(const std::string& name,
                           const std::map<std::string, std::unique_ptr<Instance>>& instances) {
  std::vector<std::string_view> known;
  for (const auto& [known_name, instance] : instances) known.push_back(known_name);
  return fmt::format("there is no worker {}; {}", config::in_quotes(name),
                     config::suggestion(name, known));
}

}  // namespace

// A second request to stop is a request to stop at once.
void Supervisor::on_signal(int number) {
  switch (number) {
    case SIGTERM:
    case SIGINT:
      if (++stop_requests_ == 1) {
        journal_.record({.type = control::Event::Type::PerchStopping,
                         .message = fmt::format("stopping on SIG{}", ::sigabbrev_np(number))});
        return end(Event::StopRequested, std::nullopt);
      }
      [[fallthrough]];
    case SIGQUIT:
      log_.info("stopping at once on SIG{}", ::sigabbrev_np(number));
      return end(Event::KillRequested, std::nullopt);
    case SIGHUP:
      return static_cast<void>(reload());
    default:
      break;
  }
  for (const auto& [name, instance] : instances_) {
    const std::vector<int>& forwarded = instance->config().forward_signals;
    if (std::ranges::find(forwarded, number) != forwarded.end()) instance->forward(number);
  }
}

void Supervisor::on_orphan(pid_t pid) {
  log_.debug("reaped orphan {}", pid);
  foreign_.erase(pid);
  for (const auto& [name, instance] : instances_) instance->on_orphan_reaped();
}

// The counter is the container's: with several workers nobody can say whose process it was.
void Supervisor::on_oom_in_tree(std::uint64_t kills) {
  if (instances_.size() != 1 || instances_.begin()->second->memory().has_own_ledger()) {
    return log_.warn(
        "{} process(es) were OOM-killed, none of them a worker's main process; nobody can say "
        "whose, so on_child_oom restarts none",
        kills);
  }
  instances_.begin()->second->on_oom_in_tree(kills);
}

process::Orphans Supervisor::orphans() const {
  return instances_.size() == 1 ? process::Orphans::OfOneWorker : process::Orphans::OfSeveral;
}

bool Supervisor::has_the_most_memory(const Instance& instance) const {
  const std::uint64_t bytes = instance.memory().own_bytes();
  return std::ranges::none_of(instances_, [&](const auto& entry) {
    const Instance& other = *entry.second;
    if (&other == &instance || !other.memory().is_counted_with_others()) return false;
    return other.is_on_its_way_out() || other.memory().own_bytes() > bytes;
  });
}

std::expected<control::ActionBegun, control::ActionRefused> Supervisor::act(
    const std::string& worker, control::WorkerAction action) {
  using Why = control::ActionRefused::Why;
  const auto found = instances_.find(worker);
  if (found == instances_.end() || retired_.contains(worker)) {
    return std::unexpected(
        control::ActionRefused{Why::UnknownWorker, no_such_worker(worker, instances_)});
  }
  if (phase_ == Phase::Claiming) return refuse_now("perch still waits for its listeners' paths");
  if (phase_ == Phase::Ending) return refuse_now("perch is ending");
  Instance& instance = *found->second;
  const control::ActionBegun begun{events_.last_id(), instance.generation(), {}};
  if (action != control::WorkerAction::Stop) instance.forget_failures();
  apply(instance, event_of(action));
  return control::ActionBegun{begun.since, begun.generation, lifecycle::name(instance.state())};
}

}  // namespace perch
