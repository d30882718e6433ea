// SPDX-License-Identifier: Apache-2.0
#include "supervisor/reload_plan.h"

#include <optional>
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

// A listener whose path another one gives up is that one under a new name.
std::optional<std::string> former_name(const std::string& path, const config::Config& running,
                                       const config::Diff& diff) {
  for (const std::string& name : diff.listeners_removed) {
    if (running.listeners.at(name).path == path) return name;
  }
  return std::nullopt;
}

Result<void> claim_listeners(const std::vector<std::string>& names, const config::Config& running,
                             ListenerSet& listeners, ReloadPlan& plan) {
  for (const std::string& name : names) {
    const config::ListenerConfig& wanted = plan.wanted.listeners.at(name);
    if (const auto former = former_name(wanted.path, running, plan.diff)) {
      plan.listeners.emplace(name, listeners.find({*former}).front());
      plan.renamed.push_back(name);
      continue;
    }
    auto claimed = listeners.claim(name, wanted);
    if (!claimed) return refuse("listener " + name + ": " + claimed.error().text);
    plan.listeners.emplace(name, std::move(*claimed));
  }
  return {};
}

Result<void> check_listeners(const std::vector<std::string>& names, const ReloadPlan& plan) {
  for (const std::string& name : names) {
    auto checked = ListenerSet::check(name, plan.wanted.listeners.at(name));
    if (!checked) return checked;
  }
  return {};
}

// A socket cannot move: a new path is a new claim.
std::vector<std::string> moved_listeners(const config::Config& running, const ReloadPlan& plan) {
  std::vector<std::string> moved;
  for (const std::string& name : plan.diff.listeners_changed) {
    const bool stays = running.listeners.at(name).path == plan.wanted.listeners.at(name).path;
    if (!stays) moved.push_back(name);
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
  if (auto done = check_listeners(plan.diff.listeners_changed, plan); !done) {
    return std::unexpected(std::move(done.error()));
  }
  const std::vector<std::string> moved = moved_listeners(running, plan);
  for (const std::vector<std::string>* names :
       {&std::as_const(plan.diff.listeners_added), &moved}) {
    if (auto done = claim_listeners(*names, running, listeners, plan); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return plan;
}

}  // namespace perch
