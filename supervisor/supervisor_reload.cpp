// SPDX-License-Identifier: Apache-2.0
// A reload: everything that may fail is done in the plan, then it is committed as a whole.
#include <algorithm>
#include <utility>

#include "supervisor/config/memory_sum.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/supervisor.h"

namespace perch {
namespace {

using lifecycle::Event;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

Result<void> Supervisor::reload() {
  if (phase_ == Phase::Ending) return refuse("reload: perch is ending");
  if (phase_ == Phase::Claiming) {
    reload_is_due_ = true;
    log_.info("reload: comes when the listeners are claimed and the workers started");
    return refuse("reload: perch still claims its listeners, and reloads when it has them");
  }
  parent_.begin_reload();
  auto done = reload_now();
  parent_.end_reload();
  return done;
}

Result<void> Supervisor::reload_now() {
  if (config_watch_) config_watch_->note_contents();
  auto plan = ReloadPlan::prepare(source_, config_, inherited_nofile_, listeners_, log_);
  Result<void> prepared;
  if (plan) {
    prepared = prepare_control(*plan);
    if (prepared) prepared = prepare_http(*plan);
  } else {
    prepared = std::unexpected(std::move(plan.error()));
  }
  reloads_.last_ok = prepared.has_value();
  reloads_.last_at = std::chrono::system_clock::now();
  if (!prepared) {
    ++reloads_.failed;
    reloads_.last_error = prepared.error().text();
    journal_.record({.type = control::Event::Type::ReloadRefused,
                     .message = "reload: nothing was changed: " + *reloads_.last_error});
    return prepared;
  }
  ++reloads_.ok;
  const std::string done = config::summary(plan->diff);
  commit(std::move(*plan));
  journal_.record({.type = control::Event::Type::Reloaded, .message = "reload: " + done});
  return {};
}

// An unreachable control socket refuses the reload: whoever asked for it would be locked out.
Result<void> Supervisor::prepare_control(ReloadPlan& plan) {
  const std::string& path = plan.wanted.perch.control;
  if (path == config_.perch.control || path.empty()) return {};
  auto server = control::ControlServer::open(loop_, path, *this, plan.access);
  if (!server) return std::unexpected(std::move(server.error()));
  plan.control = std::move(*server);
  return {};
}

// Last, since a port that stays the same at another address has to be closed before: nothing after
// it may refuse.
Result<void> Supervisor::prepare_http(ReloadPlan& plan) {
  const auto& wanted = plan.wanted.perch.http;
  if (wanted == config_.perch.http || !wanted) return {};
  const bool same_port = http_ && http_->address().port == wanted->port;
  if (same_port) http_.reset();
  auto port = control::HttpPort::open(loop_, *wanted, *this);
  if (!port) {
    if (same_port) open_http();
    return std::unexpected(std::move(port.error()));
  }
  plan.http = std::move(*port);
  return {};
}

// From here on nothing can fail: what could was done in the plan. Listeners first, since a worker
// that starts wants its own; the retired ones before their workers hear of it, so that whoever
// still got in is accepted.
void Supervisor::commit(ReloadPlan plan) {
  const config::Config before = std::exchange(config_, std::move(plan.wanted));
  commit_perch(before.perch, plan);
  commit_listeners(before, plan);
  commit_workers(plan);
  send_reload_signals(plan.diff);
  warn_of_memory_sum();
}

void Supervisor::warn_of_memory_sum() {
  const auto container = process::lowest_limit(ground_.container);
  if (!container) return;
  const std::string problem = config::problem_with_memory_sum(config_, *container);
  if (!problem.empty()) log_.warn("{}", problem);
}

// To workers that serve through the reload; one that has just been started has read it all.
void Supervisor::send_reload_signals(const config::Diff& diff) {
  for (const auto& [name, instance] : instances_) {
    const bool fresh = contains(diff.workers_added, name) || contains(diff.workers_restarted, name);
    const auto signal = instance->config().reload_signal;
    const bool serves = std::holds_alternative<lifecycle::Ready>(instance->state());
    if (serves && signal && !fresh) instance->forward(*signal);
  }
}

void Supervisor::commit_perch(const config::PerchConfig& before, ReloadPlan& plan) {
  log_.configure(config_.perch.log_level, config_.perch.log_format);
  watch_config();
  keeping_.use(config_.perch.keeper);
  if (before.http != config_.perch.http) take_http(std::move(plan.http));
  access_ = std::move(plan.access);
  if (control_) {
    const auto set = control_->set_access(access_);
    if (!set) log_.warn("perch.control keeps its mode: {}", set.error().text());
  }
  if (before.control == config_.perch.control) return;
  // It may be the one that asks: it goes when this turn of the loop is over.
  leaving_control_.push_back(std::exchange(control_, std::move(plan.control)));
  settle_.arm(std::chrono::nanoseconds::zero());
}

void Supervisor::commit_listeners(const config::Config& before, ReloadPlan& plan) {
  const config::Diff& diff = plan.diff;
  const auto let_go_live = [&](const std::string& listener) {
    return std::ranges::all_of(before.workers, [&](const auto& entry) {
      return !contains(entry.second.listeners, listener) ||
             contains(diff.workers_rehanded, entry.first);
    });
  };
  using PathGoes = ListenerSet::PathGoes;
  for (const auto* names : {&diff.listeners_removed, &diff.listeners_moved}) {
    for (const std::string& name : *names) {
      if (plan.keeps(listeners_.find({name}).front())) {
        listeners_.forget(name);
      } else {
        listeners_.retire(name, let_go_live(name) ? PathGoes::AtOnce : PathGoes::WithItsLastHolder);
      }
    }
  }
  for (auto& [name, listener] : plan.listeners) {
    listener->set_on_exit(config_.listeners.at(name).on_exit);
    listeners_.put(name, std::move(listener));
  }
  for (const auto* names : {&diff.listeners_changed, &std::as_const(plan.kept)}) {
    for (const std::string& name : *names) listeners_.adjust(name, config_.listeners.at(name));
  }
}

void Supervisor::commit_workers(ReloadPlan& plan) {
  const config::Diff& diff = plan.diff;
  for (const std::string& name : diff.workers_removed) {
    journal_.record({.type = control::Event::Type::WorkerRemoved,
                     .worker = name,
                     .message = fmt::format("worker {}: no longer in the configuration", name)});
    retired_.insert(name);
    apply(*instances_.at(name), Event::StopRequested);
  }
  for (const std::string& name : diff.workers_adjusted) {
    instances_.at(name)->set_launch(std::move(plan.launches.at(name)));
  }
  for (const std::string& name : diff.workers_rehanded) {
    instances_.at(name)->rehand(std::move(plan.launches.at(name)));
  }
  for (const std::string& name : diff.workers_restarted) {
    Instance& instance = *instances_.at(name);
    // What runs is asked to stop as its own configuration says.
    const bool runs = !instance.at_rest();
    const bool wanted = !instance.stopped_on_request();
    if (runs && wanted) apply(instance, Event::RestartRequested);
    instance.set_launch(std::move(plan.launches.at(name)));
    instance.forget_failures();
    // One that somebody stopped stays so, and has the new command when it is started.
    if (!runs && wanted) apply(instance, Event::RestartRequested);
  }
  for (const std::string& name : diff.workers_added) {
    journal_.record({.type = control::Event::Type::WorkerAdded,
                     .worker = name,
                     .message = fmt::format("worker {}: new in the configuration", name)});
    // A worker of that name may still be on its way out: it comes back with the new command.
    Launch launch = std::move(plan.launches.at(name));
    if (retired_.erase(name) != 0) {
      instances_.at(name)->set_launch(std::move(launch));
      instances_.at(name)->forget_failures();
    } else {
      add_worker(name, std::move(launch));
    }
    apply(*instances_.at(name), Event::StartRequested);
  }
}

}  // namespace perch
