// SPDX-License-Identifier: Apache-2.0
#include "supervisor/reload_plan.h"

#include <utility>

namespace perch {
namespace {

Result<void> resolve_workers(const std::vector<std::string>& names, const rlimit& inherited_nofile,
                             ReloadPlan& plan, Log& log) {
  for (const std::string& name : names) {
    std::vector<std::string> warnings;
    auto launch = resolve_launch(name, plan.wanted.workers.at(name), inherited_nofile, warnings);
    if (!launch) return std::unexpected(std::move(launch.error()));
    for (const std::string& warning : warnings) log.warn("{}", warning);
    plan.launches.emplace(name, std::move(*launch));
  }
  return {};
}

Result<void> claim_listeners(const std::vector<std::string>& names, ListenerSet& listeners,
                             ReloadPlan& plan) {
  for (const std::string& name : names) {
    auto claimed = listeners.claim(name, plan.wanted.listeners.at(name));
    if (!claimed) return refuse("listener " + name + ": " + claimed.error().text);
    plan.listeners.emplace(name, std::move(*claimed));
  }
  return {};
}

// A socket cannot move: a new path, or another owner at its birth, is a new claim.
bool needs_new_claim(const config::ListenerConfig& running, const config::ListenerConfig& wanted) {
  return running.path != wanted.path;
}

std::vector<std::string> moved_listeners(const config::Config& running, const ReloadPlan& plan) {
  std::vector<std::string> moved;
  for (const std::string& name : plan.diff.listeners_changed) {
    if (needs_new_claim(running.listeners.at(name), plan.wanted.listeners.at(name))) {
      moved.push_back(name);
    }
  }
  return moved;
}

}  // namespace

std::string join_problems(const std::vector<config::Problem>& problems) {
  std::string text;
  for (const config::Problem& problem : problems) {
    if (!text.empty()) text += "; ";
    text += problem.text;
  }
  return text;
}

Result<ReloadPlan> ReloadPlan::prepare(const ConfigSource& source, const config::Config& running,
                                       const rlimit& inherited_nofile, ListenerSet& listeners,
                                       Log& log) {
  auto wanted = config::load(source.file, source.overrides);
  if (!wanted) return refuse(join_problems(wanted.error()));
  ReloadPlan plan;
  plan.wanted = std::move(*wanted);
  plan.diff = config::diff(running, plan.wanted);
  for (const auto* names :
       {&plan.diff.workers_added, &plan.diff.workers_restarted, &plan.diff.workers_adjusted}) {
    if (auto done = resolve_workers(*names, inherited_nofile, plan, log); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  const std::vector<std::string> moved = moved_listeners(running, plan);
  for (const std::vector<std::string>* names :
       {&std::as_const(plan.diff.listeners_added), &moved}) {
    if (auto done = claim_listeners(*names, listeners, plan); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return plan;
}

}  // namespace perch
