// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/status.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <numeric>

#include "common/value/text.h"
#include "supervisor/control/status_json.h"

namespace perch::control {
namespace {

using nlohmann::ordered_json;

// Microseconds are as fine as anything here is measured.
ordered_json seconds(Seconds duration) { return std::round(duration.count() * 1e6) / 1e6; }

ordered_json seconds(const std::optional<Seconds>& duration) {
  return duration ? seconds(*duration) : ordered_json();
}

ordered_json time(WallTime at) {
  return at == WallTime{} ? ordered_json() : ordered_json(rfc3339(at));
}

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json time(const std::optional<WallTime>& at) { return at ? time(*at) : ordered_json(); }

// Cumulative, as Prometheus has it: so many took no longer than so many seconds.
ordered_json histogram_json(const Histogram& histogram) {
  ordered_json buckets = ordered_json::array();
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    so_far += histogram.counts.at(i);
    buckets.push_back({Histogram::kBounds.at(i), so_far});
  }
  return {{"count", histogram.count()},
          {"sum_seconds", seconds(Seconds(histogram.sum))},
          {"buckets", std::move(buckets)}};
}

ordered_json reloads_json(const ReloadStatus& reloads) {
  return {{"ok", reloads.ok},
          {"failed", reloads.failed},
          {"last_ok", or_null(reloads.last_ok)},
          {"last_at", time(reloads.last_at)},
          {"last_error", or_null(reloads.last_error)}};
}

ordered_json process_json(const ProcessFigures& process) {
  return {{"cpu_seconds", or_null(process.cpu_seconds)},
          {"resident_bytes", or_null(process.resident_bytes)},
          {"virtual_bytes", or_null(process.virtual_bytes)},
          {"open_fds", or_null(process.open_fds)},
          {"max_fds", or_null(process.max_fds)}};
}

ordered_json keeper_json(const std::optional<KeeperStatus>& keeper) {
  if (!keeper) return {};
  return {{"path", keeper->path},
          {"connected", keeper->connected},
          {"trouble", keeper->trouble},
          {"listeners", keeper->listeners}};
}

ordered_json perch_json(const PerchStatus& perch) {
  return {{"version", perch.version},
          {"pid", perch.pid},
          {"started_at", time(perch.started_at)},
          {"uptime_seconds", seconds(perch.uptime)},
          {"config", perch.config},
          {"reloads", reloads_json(perch.reloads)},
          {"oom_protection",
           {{"tier", perch.oom_protection.tier}, {"detail", perch.oom_protection.detail}}},
          {"keeper", keeper_json(perch.keeper)},
          {"log_dropped", perch.log_dropped},
          {"process", process_json(perch.process)}};
}

ordered_json octal(const std::optional<mode_t>& mode) {
  return mode ? ordered_json(fmt::format("{:04o}", *mode)) : ordered_json();
}

ordered_json heals_json(const listener::HealCounts& heals) {
  ordered_json counts = ordered_json::object();
  for (const auto kind : listener::kAllHealKinds) {
    counts[std::string(listener::name(kind))] = heals.at(static_cast<std::size_t>(kind));
  }
  return counts;
}

ordered_json listener_json(const ListenerStatus& listener) {
  const auto& heals = listener.heals;
  return {{"state", listener.state},
          {"path", listener.path},
          {"inode", or_null(listener.inode)},
          {"mode", octal(listener.mode)},
          {"backlog", or_null(listener.backlog)},
          {"queued", or_null(listener.queued)},
          {"claimed", listener.claimed},
          {"guarded", listener.guarded},
          {"healable", listener.healable},
          {"heals", std::accumulate(heals.begin(), heals.end(), std::uint64_t{0})},
          {"heals_by_kind", heals_json(heals)},
          {"last_outage_seconds", seconds(listener.last_outage)},
          {"backlog_restored", listener.backlog_restored}};
}

ordered_json instance_json(const InstanceStatus& instance) {
  return {{"pid", or_null(instance.pid)},
          {"generation", instance.generation},
          {"state", instance.state},
          {"started_at", time(instance.started_at)},
          {"uptime_seconds", seconds(instance.uptime)},
          {"next_start_at", time(instance.next_start_at)},
          {"next_start_in_seconds", seconds(instance.next_start_in)},
          {"status_text", instance.status_text},
          {"stuck", instance.stuck}};
}

ordered_json deaths_json(const WorkerStatus& worker) {
  ordered_json counts = ordered_json::object();
  for (const auto cause : lifecycle::kAllCauses) {
    counts[std::string(lifecycle::name(cause))] = worker.deaths.at(static_cast<std::size_t>(cause));
  }
  return counts;
}

ordered_json intercept_json(const std::optional<CallCounts>& intercept) {
  if (!intercept) return {};
  ordered_json counts = ordered_json::object();
  for (const auto& [call, count] : *intercept) counts[std::string(call)] = count;
  return counts;
}

template <class Item, class ToJson>
ordered_json list_json(const std::vector<Item>& items, ToJson to) {
  ordered_json list = ordered_json::array();
  for (const auto& item : items) list.push_back(to(item));
  return list;
}

template <class Item, class ToJson>
ordered_json named_json(const std::map<std::string, Item>& items, ToJson to) {
  ordered_json named = ordered_json::object();
  for (const auto& [name, item] : items) named[name] = to(item);
  return named;
}

ordered_json worker_json(const WorkerStatus& worker) {
  const auto& outage = worker.outage;
  return {{"state", worker.state},
          {"desired", worker.desired},
          {"required", worker.required},
          {"ready", worker.ready},
          {"listeners", worker.listeners},
          {"since", time(worker.since)},
          {"starts", worker.starts},
          {"deaths", deaths_json(worker)},
          {"oom_in_tree", worker.oom_in_tree},
          {"unattributed_orphans", worker.unattributed_orphans},
          {"intercept", intercept_json(worker.intercept)},
          {"consecutive_failures", worker.consecutive_failures},
          {"outage_seconds",
           {{"last", seconds(outage.last)},
            {"p50", seconds(outage.p50)},
            {"p99", seconds(outage.p99)},
            {"max", seconds(outage.max)}}},
          {"outage_histogram", histogram_json(worker.outages)},
          {"startup_histogram", histogram_json(worker.startups)},
          {"memory",
           {{"cgroup",
             worker.memory.cgroup.empty() ? ordered_json() : ordered_json(worker.memory.cgroup)},
            {"usage_bytes", or_null(worker.memory.usage_bytes)},
            {"limit_bytes", or_null(worker.memory.limit_bytes)},
            {"peak_bytes", or_null(worker.memory.peak_bytes)},
            {"nonreclaimable_bytes", or_null(worker.memory.nonreclaimable_bytes)},
            {"recycle_at_bytes", or_null(worker.memory.recycle_at_bytes)}}},
          {"instances", list_json(worker.instances, instance_json)},
          {"last_deaths", list_json(worker.last_deaths, death_json)}};
}

}  // namespace

ordered_json death_json(const DeathRecord& death) {
  return {{"generation", death.generation},
          {"at", time(death.at)},
          {"cause", lifecycle::name(death.cause)},
          {"signal", or_null(death.signal)},
          {"status", or_null(death.status)},
          {"detail", death.detail},
          {"memory_peak_bytes", or_null(death.memory_peak_bytes)},
          {"memory_limit_bytes", or_null(death.memory_limit_bytes)},
          {"max_rss_bytes", or_null(death.max_rss_bytes)},
          {"uptime_seconds", seconds(death.uptime)},
          {"stderr_tail", death.stderr_tail}};
}

std::string to_json(const Status& status) {
  const ordered_json document{{"schema", 1},
                              {"perch", perch_json(status.perch)},
                              {"listeners", named_json(status.listeners, listener_json)},
                              {"workers", named_json(status.workers, worker_json)}};
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace perch::control
