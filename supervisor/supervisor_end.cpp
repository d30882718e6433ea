// SPDX-License-Identifier: Apache-2.0
// How a Supervisor ends: who decides it, when nothing is left to do, and with which code and why.
#include <algorithm>
#include <utility>

#include "supervisor/supervisor.h"

namespace perch {
namespace {

using lifecycle::Event;
using std::chrono::milliseconds;

// Beside what a stop takes by itself.
constexpr milliseconds kSlack{5'000};

// "generation 3 ended: exit: exit status 3", and the last line that it wrote where perch has it.
std::string last_death(const Instance& instance) {
  const auto deaths = instance.status().last_deaths;
  if (deaths.empty()) return "it has not died";
  const control::DeathRecord& latest = deaths.front();
  const std::string words =
      latest.stderr_tail.empty() ? "" : "; its last line: " + latest.stderr_tail.back();
  return fmt::format("generation {} ended: {}: {}{}", latest.generation,
                     lifecycle::name(latest.cause), latest.detail, words);
}

std::string lost_path(const std::map<std::string, control::ListenerStatus>& listeners) {
  const auto lost = std::ranges::find_if(
      listeners, [](const auto& entry) { return entry.second.state == "lost"; });
  return fmt::format("listener {}: another process has taken {}", lost->first, lost->second.path);
}

}  // namespace

// Of several ends the first one counts.
void Supervisor::end(Event how, std::optional<Ending> ending) {
  if (ending && !ending_) ending_ = std::move(ending);
  phase_ = Phase::Ending;
  milliseconds patience{0};
  for (const auto& [name, instance] : instances_) {
    patience = std::max(patience, instance->config().stop_timeout);
  }
  parent_.stopping(patience + kSlack);
  claiming_.cancel();
  apply_to_all(how);
  settle_.arm(std::chrono::nanoseconds::zero());
}

void Supervisor::give_up_on(const Instance& instance) {
  const std::string what = fmt::format("worker {}: given up after {} failures in a row",
                                       instance.name(), instance.config().restart.attempts);
  log_.error("{}", what);
  if (instance.config().restart.on_give_up == config::OnGiveUp::Hold) return;
  end(Event::StopRequested,
      own_failure(ExitCode::GaveUp, what + "; " + last_death(instance), config_));
}

bool Supervisor::all_at_rest() const {
  return std::ranges::all_of(instances_, [](const auto& entry) {
    const lifecycle::State& state = entry.second->state();
    return entry.second->at_rest() && (std::holds_alternative<lifecycle::Idle>(state) ||
                                       std::holds_alternative<lifecycle::Failed>(state));
  });
}

// At the very first start a command that cannot run is a typo, which must not hold clients. What a
// reload brings later backs off: the others serve.
std::optional<Ending> Supervisor::ending_of_typo() const {
  if (phase_ != Phase::Running || reloads_.ok != 0) return std::nullopt;
  const auto stillborn = std::ranges::find_if(
      instances_, [](const auto& entry) { return entry.second->stillborn_at_first(); });
  if (stillborn == instances_.end()) return std::nullopt;
  return ending_of(*stillborn->second);
}

void Supervisor::settle() {
  leaving_control_.clear();
  std::erase_if(retired_, [this](const std::string& name) {
    if (!instances_.at(name)->at_rest()) return false;
    instances_.erase(name);
    return true;
  });
  if (auto typo = ending_of_typo()) return end(Event::StopRequested, std::move(typo));
  const bool ended_by_policy =
      phase_ == Phase::Running && !instances_.empty() &&
      std::ranges::all_of(instances_, [](const auto& entry) {
        return entry.second->state() ==
               lifecycle::State(lifecycle::Idle{lifecycle::Rest::ByPolicy});
      });
  if (ended_by_policy) end(Event::StopRequested, std::nullopt);
  if (phase_ != Phase::Ending || !all_at_rest()) return;
  listeners_.look_once_more();
  if (!ending_) ending_ = ending_of_rest();
  loop_.stop();
}

Ending Supervisor::ending_of(const Instance& instance) {
  const int code = instance.shell_code().value_or(0);
  if (code == 0) return {};
  return {code, fmt::format("worker {}: {}", instance.name(), last_death(instance))};
}

// A wrapper that restarts nothing is transparent: it ends as its worker did.
Ending Supervisor::ending_of_rest() const {
  for (const auto& [name, instance] : instances_) {
    if (instance->config().restart.policy != config::RestartWhen::Never) continue;
    if (Ending ending = ending_of(*instance); ending.code != 0) return ending;
  }
  if (!listeners_.any_lost()) return {};
  return own_failure(ExitCode::PathOwned, lost_path(listeners_.status()), config_);
}

}  // namespace perch
