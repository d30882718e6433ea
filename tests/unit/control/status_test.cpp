// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/status.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace perch::control {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

const WallTime kWhen = WallTime(std::chrono::seconds(1'767'225'600)) + 7ms;

DeathRecord oom_death() {
  DeathRecord death;
  death.generation = 2;
  death.at = kWhen;
  death.cause = lifecycle::Cause::OomKill;
  death.signal = 9;
  death.detail = "memory.events oom_kill grew";
  death.memory_peak_bytes = 1'000;
  death.uptime = 1500ms;
  death.stderr_tail = {"one", "two \xff"};
  return death;
}

Status example() {
  Status status;
  status.perch = {
      .version = "0.1.0",
      .pid = 1,
      .started_at = kWhen,
      .uptime = 90s,
      .config = "/etc/perch.toml",
      .reloads = {.ok = 2, .failed = 1, .last_error = {}, .last_ok = true, .last_at = kWhen},
      .oom_protection = {.tier = "b", .detail = "raised score"},
      .keeper = KeeperStatus{.path = "/k", .connected = true, .listeners = 2},
      .log_dropped = 3,
      .process = {.cpu_seconds = 1.5, .resident_bytes = 4096}};
  status.listeners["api"] = {.path = "/run/app/api.sock",
                             .inode = 77,
                             .backlog = 4096,
                             .queued = {},
                             .claimed = "replaced-stale",
                             .mode = 0660,
                             .healable = true,
                             .heals = {3, 0, 1}};
  WorkerStatus worker;
  worker.state = "ready";
  worker.desired = "running";
  worker.ready = true;
  worker.since = kWhen;
  worker.starts = 3;
  worker.deaths.at(static_cast<std::size_t>(lifecycle::Cause::OomKill)) = 2;
  worker.outage.last = 1612us;
  worker.outages.observe(1612us);
  worker.memory.cgroup = "own";
  worker.memory.usage_bytes = 8192;
  worker.memory.nonreclaimable_bytes = 4096;
  worker.instances.push_back({.pid = 42,
                              .generation = 3,
                              .state = "ready",
                              .started_at = kWhen,
                              .next_start_at = {},
                              .uptime = 12s,
                              .next_start_in = {},
                              .status_text = "serving",
                              .stuck = false});
  worker.last_deaths.push_back(oom_death());
  status.workers["app"] = worker;
  return status;
}

}  // namespace

TEST_CASE("the document has every field, unknown is null") {
  const auto document = json::parse(to_json(example()));
  CHECK(document.at("schema") == 1);
  CHECK(document.at("perch") == json::parse(R"({
    "version": "0.1.0", "pid": 1, "started_at": "2026-01-01T00:00:00.007Z",
    "uptime_seconds": 90.0, "config": "/etc/perch.toml",
    "reloads": {"ok": 2, "failed": 1, "last_ok": true, "last_at": "2026-01-01T00:00:00.007Z",
                "last_error": null},
    "oom_protection": {"tier": "b", "detail": "raised score"},
    "keeper": {"path": "/k", "connected": true, "trouble": "", "listeners": 2},
    "log_dropped": 3,
    "process": {"cpu_seconds": 1.5, "resident_bytes": 4096, "virtual_bytes": null,
                "open_fds": null, "max_fds": null}})"));
  CHECK(document.at("listeners") == json::parse(R"({"api": {
    "state": "listening", "path": "/run/app/api.sock", "inode": 77, "mode": "0660",
    "backlog": 4096, "queued": null, "claimed": "replaced-stale", "guarded": false,
    "healable": true, "heals": 4, "heals_by_kind": {"removed": 3, "replaced": 0, "displaced": 1,
    "mode": 0, "spare": 0, "rebound": 0, "reclaimed": 0}, "last_outage_seconds": null,
    "backlog_restored": 0}})"));
  const auto worker = document.at("workers").at("app");
  CHECK(worker.at("instances") == json::parse(R"([{
    "pid": 42, "generation": 3, "state": "ready", "started_at": "2026-01-01T00:00:00.007Z",
    "uptime_seconds": 12.0, "next_start_at": null, "next_start_in_seconds": null, "status_text": "serving", "stuck": false}])"));
  CHECK(worker.at("outage_seconds") ==
        json::parse(R"({"last": 0.001612, "p50": null, "p99": null, "max": null})"));
  CHECK(worker.at("memory") ==
        json::parse(R"({"cgroup": "own", "usage_bytes": 8192, "limit_bytes": null,
                    "peak_bytes": null, "nonreclaimable_bytes": 4096, "recycle_at_bytes": null})"));
  CHECK(worker.at("intercept").is_null());
  CHECK(worker.at("since") == "2026-01-01T00:00:00.007Z");
  CHECK(worker.at("starts") == 3);
  for (const char* key : {"state", "desired", "required", "ready", "oom_in_tree",
                          "unattributed_orphans", "consecutive_failures"}) {
    CAPTURE(key);
    CHECK(worker.contains(key));
  }
}

TEST_CASE("a histogram's buckets are cumulative") {
  const auto worker = json::parse(to_json(example())).at("workers").at("app");
  const auto outages = worker.at("outage_histogram");
  CHECK(outages.at("count") == 1);
  CHECK(outages.at("sum_seconds") == 0.001612);
  CHECK(outages.at("buckets").size() == Histogram::kBounds.size());
  CHECK(outages.at("buckets").at(0) == json::parse("[0.001, 0]"));
  CHECK(outages.at("buckets").at(1) == json::parse("[0.0025, 1]"));
  CHECK(outages.at("buckets").back() == json::parse("[300.0, 1]"));
  CHECK(worker.at("startup_histogram").at("count") == 0);
}

TEST_CASE("every cause is always counted") {
  const auto deaths = json::parse(to_json(example())).at("workers").at("app").at("deaths");
  CHECK(deaths.size() == lifecycle::kAllCauses.size());
  for (const auto cause : lifecycle::kAllCauses) {
    CHECK(deaths.at(std::string(lifecycle::name(cause))) ==
          (cause == lifecycle::Cause::OomKill ? 2 : 0));
  }
}

TEST_CASE("a death comes with its evidence") {
  const auto death =
      json::parse(to_json(example())).at("workers").at("app").at("last_deaths").at(0);
  CHECK(death == json::parse(R"({
    "generation": 2, "at": "2026-01-01T00:00:00.007Z", "cause": "oom-kill", "signal": 9,
    "status": null, "detail": "memory.events oom_kill grew", "memory_peak_bytes": 1000,
    "memory_limit_bytes": null, "max_rss_bytes": null, "uptime_seconds": 1.5,
    "stderr_tail": ["one", "two \ufffd"]})"));
}

TEST_CASE("an empty perch, a time never set and no number are valid all the same") {
  Status status;
  status.workers["app"].outage.max = Seconds(std::nan(""));
  const auto document = json::parse(to_json(status));
  CHECK(document.at("listeners").is_object());
  CHECK(document.at("workers").at("app").at("since").is_null());
  CHECK(document.at("workers").at("app").at("outage_seconds").at("max").is_null());
  CHECK(document.at("workers").at("app").at("instances").is_array());
}

}  // namespace perch::control
