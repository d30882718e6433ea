// SPDX-License-Identifier: Apache-2.0
#include "supervisor/launch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "supervisor/handover/prepare.h"
#include "supervisor/process/account.h"
#include "supervisor/process/install_filter.h"

namespace perch {
namespace {

std::string key_of(const std::string& worker, std::string_view key) {
  return fmt::format("workers.{}.{}", worker, key);
}

Result<void> resolve_identity(const std::string& worker, Launch& launch) {
  launch.uid = ::geteuid();
  const config::WorkerConfig& config = launch.config;
  if (config.user.empty() && config.group.empty()) return {};
  if (config.user.empty()) {
    auto gid = process::resolve_group(config.group);
    if (!gid) return fail_within(key_of(worker, "group"), std::move(gid.error()));
    launch.identity = process::Identity{launch.uid, *gid, {*gid}};
    return {};
  }
  auto account = process::resolve_account(config.user, config.group);
  if (!account) return fail_within(key_of(worker, "user"), std::move(account.error()));
  launch.uid = account->uid;
  launch.identity = process::Identity{account->uid, account->gid, account->groups};
  launch.environment.push_back("HOME=" + account->home);
  launch.environment.push_back("USER=" + account->name);
  launch.environment.push_back("LOGNAME=" + account->name);
  return {};
}

// Later assignments win; perch's own hand-over variables are not passed on.
std::vector<std::string> merged_environment(const std::vector<std::string>& account,
                                            const std::map<std::string, std::string>& configured) {
  std::map<std::string, std::string> merged;
  const auto add = [&](std::string_view entry) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) return;
    const std::string_view name = entry.substr(0, equals);
    if (!handover::is_handover_variable(name)) merged[std::string(name)] = entry.substr(equals + 1);
  };
  for (char** entry = environ; *entry != nullptr; ++entry) add(*entry);
  for (const std::string& entry : account) add(entry);
  for (const auto& [name, value] : configured) merged[name] = value;
  std::vector<std::string> environment;
  environment.reserve(merged.size());
  for (const auto& [name, value] : merged) {
    environment.push_back(fmt::format("{}={}", name, value));
  }
  return environment;
}

// The worker gets back the limit that perch raised for itself, unless it has one of its own.
std::vector<process::ResourceLimit> limits_of(const config::WorkerConfig& config,
                                              const rlimit& inherited_nofile) {
  std::vector<process::ResourceLimit> limits{
      {RLIMIT_NOFILE, {inherited_nofile.rlim_cur, inherited_nofile.rlim_max}}};
  for (const config::Rlimit& limit : config.rlimits) {
    if (limit.resource == RLIMIT_NOFILE) limits.erase(limits.begin());
    limits.push_back({limit.resource, {limit.soft, limit.hard}});
  }
  return limits;
}

Result<void> prepare_intercept(const std::string& worker, const config::Config& config,
                               Launch& launch) {
  launch.no_new_privs = process::filters_need_no_new_privs();
  handover::FilterPlan plan{
      .probe_guard = launch.config.probe_guard, .mode_guard = false, .paths = {}};
  for (const std::string& name : launch.config.listeners) {
    const config::ListenerConfig& listener = config.listeners.at(name);
    if (listener.mode) launch.with_mode.insert(name);
    plan.paths.push_back(listener.path);
  }
  plan.mode_guard = !launch.with_mode.empty();
  auto filter = handover::InterceptFilter::build(plan);
  if (!filter) return fail_within(key_of(worker, "handover"), std::move(filter.error()));
  launch.filter = std::move(*filter);
  return {};
}

}  // namespace

Result<Launch> resolve_launch(const std::string& worker, const config::Config& whole,
                              const rlimit& inherited_nofile, Log& log) {
  const config::WorkerConfig& config = whole.workers.at(worker);
  Launch launch;
  launch.config = config;
  if (auto identity = resolve_identity(worker, launch); !identity) {
    return std::unexpected(std::move(identity.error()));
  }
  auto capabilities = process::CapabilityPlan::make(config.capabilities);
  if (!capabilities) {
    return fail_within(key_of(worker, "capabilities"), std::move(capabilities.error()));
  }
  launch.capabilities = *capabilities;
  for (const std::string& name : launch.capabilities.missing.names()) {
    log.warn(
        "{}: perch itself does not have {}; the worker runs without it: "
        "give it to perch's container, or remove it here",
        key_of(worker, "capabilities"), name);
  }
  launch.limits = limits_of(config, inherited_nofile);
  launch.environment = merged_environment(launch.environment, config.environment);
  if (config.handover != config::HandoverWay::Intercept) return launch;
  if (auto prepared = prepare_intercept(worker, whole, launch); !prepared) {
    return std::unexpected(std::move(prepared.error()));
  }
  return launch;
}

process::SpawnRequest request_of(const Launch& launch, const LifeFacts& life) {
  process::SpawnRequest request;
  request.command = launch.config.command;
  request.environment = launch.environment;
  request.environment.push_back("PERCH_WORKER=" + life.worker);
  request.environment.push_back(generation_tag(life.worker, life.generation));
  request.environment.push_back("PERCH_LAST_CAUSE=" + life.last_cause);
  request.oom_score_adj = life.oom_score_adj;
  request.limits = launch.limits;
  request.directory = launch.config.directory;
  request.umask = launch.config.umask;
  request.identity = launch.identity;
  request.capabilities = launch.capabilities;
  if (launch.filter) {
    request.filter = launch.filter->program();
    request.no_new_privs = launch.no_new_privs;
  }
  return request;
}

std::string generation_tag(const std::string& worker, std::uint64_t generation) {
  return fmt::format("PERCH_GENERATION={}/{}", worker, generation);
}

}  // namespace perch
