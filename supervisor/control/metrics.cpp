// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/metrics.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <utility>

#include "common/http/exposition.h"
#include "common/http/process_families.h"
#include "supervisor/lifecycle/step.h"

namespace perch::control {
namespace {

using enum Exposition::Type;
using Listeners = std::map<std::string, ListenerStatus>;
using Workers = std::map<std::string, WorkerStatus>;

template <std::size_t... I>
auto names_of_states(std::index_sequence<I...>) {
  return std::array{lifecycle::name(lifecycle::State(std::in_place_index<I>))...};
}

std::optional<double> timestamp(const std::optional<WallTime>& at) {
  return at ? std::optional(unix_seconds(*at)) : std::nullopt;
}

// One label that is no UTF-8 would cost the whole scrape. A path may be any bytes.
std::string as_utf8(std::string_view text) {
  using nlohmann::json;
  const auto document = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(document).get<std::string>();
}

void perch_families(Exposition& out, const PerchStatus& perch) {
  out.family("perch_build_info", Gauge, "The perch that runs.");
  out.sample({{"version", perch.version}}, 1);
  out.family("perch_oom_protection_info", Gauge,
             "How well perch itself is protected from the OOM killer; a is best, d is not at all.");
  out.sample({{"tier", perch.oom_protection.tier}}, 1);
  out.family("perch_keeper_connected", Gauge,
             "1 while the keeper that is configured has perch's listeners.");
  if (perch.keeper) out.sample({}, perch.keeper->connected);
  out.family("perch_config_reloads_total", Counter, "Reloads of the configuration.");
  out.sample({{"result", "ok"}}, perch.reloads.ok);
  out.sample({{"result", "failed"}}, perch.reloads.failed);
  out.family("perch_config_last_reload_successful", Gauge,
             "1 unless the latest reload was refused; what ran before then goes on.");
  out.sample({}, perch.reloads.last_ok.value_or(true));
  out.family("perch_log_dropped_total", Counter,
             "Lines of perch's own log that nobody took from it.");
  out.sample({}, perch.log_dropped);
}

// A family with one sample a worker.
template <class Value>
void per_worker(Exposition& out, const Workers& workers, std::string_view name,
                Exposition::Type type, std::string_view help, Value value) {
  out.family(name, type, help);
  for (const auto& [worker, status] : workers) out.sample({{"worker", worker}}, value(status));
}

void state_families(Exposition& out, const Workers& workers) {
  static const auto kStates =
      names_of_states(std::make_index_sequence<std::variant_size_v<lifecycle::State>>());
  out.family("perch_worker_state", Gauge, "1 for the state that the worker is in.");
  for (const auto& [worker, status] : workers) {
    for (const auto state : kStates) {
      out.sample({{"worker", worker}, {"state", state}}, status.state == state);
    }
  }
  per_worker(out, workers, "perch_worker_ready", Gauge, "1 while the worker serves.",
             [](const WorkerStatus& worker) { return worker.ready; });
}

void death_families(Exposition& out, const Workers& workers) {
  out.family("perch_worker_deaths_total", Counter, "Generations that ended, by cause.");
  for (const auto& [worker, status] : workers) {
    for (const auto cause : lifecycle::kAllCauses) {
      out.sample({{"worker", worker}, {"cause", lifecycle::name(cause)}},
                 status.deaths.at(static_cast<std::size_t>(cause)));
    }
  }
  per_worker(out, workers, "perch_worker_oom_kills_total", Counter,
             "OOM kills that ended a generation, and those below one that went on.",
             [](const WorkerStatus& worker) {
               constexpr auto kOomKill = static_cast<std::size_t>(lifecycle::Cause::OomKill);
               return worker.deaths.at(kOomKill) + worker.oom_in_tree;
             });
  per_worker(out, workers, "perch_worker_consecutive_failures", Gauge,
             "Failures in a row, forgotten once the worker is stable.",
             [](const WorkerStatus& worker) { return worker.consecutive_failures; });
  per_worker(out, workers, "perch_worker_last_death_timestamp_seconds", Gauge,
             "When the latest generation that ended did so.",
             [](const WorkerStatus& worker) -> std::optional<double> {
               if (worker.last_deaths.empty()) return std::nullopt;
               return unix_seconds(worker.last_deaths.front().at);
             });
}

template <auto Member>
std::optional<double> instance_time(const WorkerStatus& worker) {
  if (worker.instances.empty()) return std::nullopt;
  return timestamp(worker.instances.front().*Member);
}

void start_families(Exposition& out, const Workers& workers) {
  per_worker(out, workers, "perch_worker_generation", Gauge,
             "The number of the generation that lives, or of the latest.",
             [](const WorkerStatus& worker) {
               return worker.instances.empty() ? 0 : worker.instances.front().generation;
             });
  per_worker(out, workers, "perch_worker_starts_total", Counter, "Generations that were started.",
             [](const WorkerStatus& worker) { return worker.starts; });
  per_worker(out, workers, "perch_worker_start_time_seconds", Gauge,
             "When the generation that lives was started.",
             instance_time<&InstanceStatus::started_at>);
  per_worker(out, workers, "perch_worker_next_start_timestamp_seconds", Gauge,
             "When the next start is due, while the worker waits for it.",
             instance_time<&InstanceStatus::next_start_at>);
}

void duration_families(Exposition& out, const Workers& workers) {
  out.family("perch_worker_outage_seconds", Histogram,
             "From a generation's death until the next one was ready.");
  for (const auto& [worker, status] : workers) out.sample({"worker", worker}, status.outages);
  out.family("perch_worker_startup_seconds", Histogram,
             "From a generation's start until it was ready.");
  for (const auto& [worker, status] : workers) out.sample({"worker", worker}, status.startups);
}

void memory_families(Exposition& out, const Workers& workers) {
  per_worker(out, workers, "perch_worker_memory_usage_bytes", Gauge,
             "Memory of the worker's cgroup, page cache included.",
             [](const WorkerStatus& worker) { return worker.memory.usage_bytes; });
  per_worker(out, workers, "perch_worker_memory_limit_bytes", Gauge,
             "Limit of the worker's cgroup, where it has one.",
             [](const WorkerStatus& worker) { return worker.memory.limit_bytes; });
  per_worker(out, workers, "perch_worker_memory_peak_bytes", Gauge,
             "The most that the worker's cgroup ever used.",
             [](const WorkerStatus& worker) { return worker.memory.peak_bytes; });
  per_worker(out, workers, "perch_worker_memory_nonreclaimable_bytes", Gauge,
             "Memory that the kernel could not take back, no page cache.",
             [](const WorkerStatus& worker) { return worker.memory.nonreclaimable_bytes; });
  per_worker(out, workers, "perch_worker_memory_recycle_at_bytes", Gauge,
             "Non-reclaimable memory above which the worker is replaced.",
             [](const WorkerStatus& worker) { return worker.memory.recycle_at_bytes; });
}

void intercept_family(Exposition& out, const Workers& workers) {
  out.family("perch_worker_intercepted_total", Counter,
             "Calls on socket names that perch answered for the worker, by what was called.");
  for (const auto& [worker, status] : workers) {
    for (const auto& [call, count] : status.intercept.value_or(CallCounts{})) {
      out.sample({{"worker", worker}, {"call", call}}, count);
    }
  }
}

template <class Value>
void per_listener(Exposition& out, const Listeners& listeners, std::string_view name,
                  Exposition::Type type, std::string_view help, Value value) {
  out.family(name, type, help);
  for (const auto& [listener, status] : listeners) {
    out.sample({{"listener", listener}}, value(status));
  }
}

void listener_families(Exposition& out, const Listeners& listeners) {
  per_listener(out, listeners, "perch_listener_queued_connections", Gauge,
               "Connections that wait to be accepted.",
               [](const ListenerStatus& listener) { return listener.queued; });
  per_listener(out, listeners, "perch_listener_backlog_connections", Gauge,
               "How many connections may wait.",
               [](const ListenerStatus& listener) { return listener.backlog; });
  per_listener(out, listeners, "perch_listener_up", Gauge,
               "1 while the path leads to perch's socket.",
               [](const ListenerStatus& listener) { return listener.state == "listening"; });
  out.family("perch_listener_heals_total", Counter,
             "How often perch put right what somebody did to the listener.");
  for (const auto& [listener, status] : listeners) {
    for (const auto kind : listener::kAllHealKinds) {
      out.sample({{"listener", listener}, {"kind", listener::name(kind)}},
                 status.heals.at(static_cast<std::size_t>(kind)));
    }
  }
  per_listener(out, listeners, "perch_listener_backlog_restored_total", Counter,
               "How often a worker had made the backlog smaller and perch set it again.",
               [](const ListenerStatus& listener) { return listener.backlog_restored; });
  out.family("perch_listener_info", Gauge, "Where the listener is.");
  for (const auto& [listener, status] : listeners) {
    const std::string path = as_utf8(status.path);
    const std::string inode = status.inode ? std::to_string(*status.inode) : "";
    out.sample({{"listener", listener}, {"path", path}, {"inode", inode}}, 1);
  }
}

}  // namespace

std::string to_metrics(const Status& status) {
  Exposition out;
  perch_families(out, status.perch);
  process_families(out, "perch", status.perch.process, status.perch.started_at);
  state_families(out, status.workers);
  start_families(out, status.workers);
  death_families(out, status.workers);
  duration_families(out, status.workers);
  intercept_family(out, status.workers);
  memory_families(out, status.workers);
  listener_families(out, status.listeners);
  return std::move(out).take();
}

}  // namespace perch::control
