// SPDX-License-Identifier: Apache-2.0
#include "supervisor/reload_plan.h"

#include <algorithm>
#include <utility>

#include "supervisor/resolve_access.h"

namespace perch {
namespace {

Result<void> resolve_workers(const std::vector<std::string>& names, const rlimit& inherited_nofile,
                             ReloadPlan& plan, Log& log) {
  for (const std::string& name : names) {
    auto launch = resolve_launch(name, plan.wanted, inherited_nofile, log);
    if (!launch) return std::unexpected(std::move(launch.error()));
    plan.launches.emplace(name, std::move(*launch));
  }
  return {};
}

// Made for the new configuration, and gone again with a plan that is dropped.
Result<void> claim_listeners(const std::vector<std::string>& names, ListenerSet& listeners,
                             ReloadPlan& plan) {
  for (const std::string& name : names) {
    const config::ListenerConfig& wanted = plan.wanted.listeners.at(name);
    // A path that perch holds already, under whatever name, is that socket.
    if (auto held = listeners.at_path(wanted.path)) {
      plan.listeners.emplace(name, std::move(held));
      plan.kept.push_back(name);
      continue;
    }
    auto claimed = listeners.claim(name, wanted);
    if (!claimed) return refuse("listener " + name + ": " + claimed.error().final_text());
    (*claimed)->set_on_exit(config::OnExit::Unlink);
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

}  // namespace

bool ReloadPlan::keeps(const SharedListener& listener) const {
  return std::ranges::any_of(listeners,
                             [&](const auto& entry) { return entry.second == listener; });
}

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
  auto access = resolve_access(plan.wanted.perch);
  if (!access) return std::unexpected(std::move(access.error()));
  plan.access = std::move(*access);
  const config::Diff& diff = plan.diff;
  for (const auto* names : {&diff.workers_added, &diff.workers_restarted, &diff.workers_rehanded,
                            &diff.workers_adjusted}) {
    if (auto done = resolve_workers(*names, inherited_nofile, plan, log); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  if (auto done = check_listeners(diff.listeners_changed, plan); !done) {
    return std::unexpected(std::move(done.error()));
  }
  for (const auto* names : {&diff.listeners_added, &diff.listeners_moved}) {
    if (auto done = claim_listeners(*names, listeners, plan); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return plan;
}

}  // namespace perch
