// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/metrics.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "common/http/exposition.h"

namespace perch::control {
namespace {

using namespace std::chrono_literals;

const WallTime kWhen = WallTime(std::chrono::seconds(1'767'225'600)) + 7ms;

Status example() {
  Status status;
  status.perch = {.version = "0.1.0",
                  .pid = 1,
                  .started_at = kWhen,
                  .uptime = 90s,
                  .config = "/etc/perch.toml",
                  .reloads = {.ok = 2, .failed = 1, .last_error = {}, .last_ok = false},
                  .oom_protection = {.tier = "b", .detail = "raised score"},
                  .keeper = KeeperStatus{.path = "/k", .connected = true},
                  .log_dropped = 3,
                  .process = {.cpu_seconds = 0.25,
                              .resident_bytes = 2'500'000,
                              .virtual_bytes = {},
                              .open_fds = 25,
                              .max_fds = 20'000}};
  status.listeners["api"] = {.path = "/run/a.sock",
                             .inode = 77,
                             .backlog = 4096,
                             .queued = {},
                             .claimed = "bound",
                             .healable = true,
                             .heals = {0, 0, 2}};
  WorkerStatus worker;
  worker.state = "backoff";
  worker.starts = 3;
  worker.deaths.at(static_cast<std::size_t>(lifecycle::Cause::OomKill)) = 2;
  worker.oom_in_tree = 1;
  worker.consecutive_failures = 2;
  worker.outages.observe(2ms);
  worker.intercept = CallCounts{{"bind", 3}, {"unlink", 0}};
  worker.memory = {.usage_bytes = 1000,
                   .limit_bytes = {},
                   .peak_bytes = 2000,
                   .nonreclaimable_bytes = 700,
                   .recycle_at_bytes = 900};
  worker.instances.push_back({.pid = {},
                              .generation = 3,
                              .state = "backoff",
                              .started_at = {},
                              .next_start_at = kWhen + 1s});
  worker.last_deaths.push_back({.generation = 3, .at = kWhen, .cause = lifecycle::Cause::OomKill});
  status.workers["app"] = worker;
  return status;
}

std::string without_help(const std::string& text) {
  std::istringstream lines(text);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# HELP")) kept += line + "\n";
  }
  return kept;
}

// The lines that begin so.
std::vector<std::string> lines_of(const std::string& text, const std::string& beginning) {
  std::istringstream lines(text);
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(beginning)) found.push_back(line);
  }
  return found;
}

}  // namespace

TEST_CASE("a status as metrics, and what it does not know is left out") {
  CHECK(without_help(to_metrics(example())) == R"(# TYPE perch_build_info gauge
perch_build_info{version="0.1.0"} 1
# TYPE perch_oom_protection_info gauge
perch_oom_protection_info{tier="b"} 1
# TYPE perch_keeper_connected gauge
perch_keeper_connected 1
# TYPE perch_config_reloads_total counter
perch_config_reloads_total{result="ok"} 2
perch_config_reloads_total{result="failed"} 1
# TYPE perch_config_last_reload_successful gauge
perch_config_last_reload_successful 0
# TYPE perch_log_dropped_total counter
perch_log_dropped_total 3
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 0.25
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 2500000
# TYPE process_virtual_memory_bytes gauge
# TYPE process_open_fds gauge
process_open_fds 25
# TYPE process_max_fds gauge
process_max_fds 20000
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1767225600.007
# TYPE perch_worker_state gauge
perch_worker_state{worker="app",state="idle"} 0
perch_worker_state{worker="app",state="starting"} 0
perch_worker_state{worker="app",state="ready"} 0
perch_worker_state{worker="app",state="draining"} 0
perch_worker_state{worker="app",state="stopping"} 0
perch_worker_state{worker="app",state="backoff"} 1
perch_worker_state{worker="app",state="failed"} 0
# TYPE perch_worker_ready gauge
perch_worker_ready{worker="app"} 0
# TYPE perch_worker_generation gauge
perch_worker_generation{worker="app"} 3
# TYPE perch_worker_starts_total counter
perch_worker_starts_total{worker="app"} 3
# TYPE perch_worker_start_time_seconds gauge
# TYPE perch_worker_next_start_timestamp_seconds gauge
perch_worker_next_start_timestamp_seconds{worker="app"} 1767225601.007
# TYPE perch_worker_deaths_total counter
perch_worker_deaths_total{worker="app",cause="exit"} 0
perch_worker_deaths_total{worker="app",cause="signal"} 0
perch_worker_deaths_total{worker="app",cause="oom-kill"} 2
perch_worker_deaths_total{worker="app",cause="watchdog"} 0
perch_worker_deaths_total{worker="app",cause="probe"} 0
perch_worker_deaths_total{worker="app",cause="memory-recycle"} 0
perch_worker_deaths_total{worker="app",cause="never-ready"} 0
perch_worker_deaths_total{worker="app",cause="exec-failed"} 0
perch_worker_deaths_total{worker="app",cause="requested"} 0
# TYPE perch_worker_oom_kills_total counter
perch_worker_oom_kills_total{worker="app"} 3
# TYPE perch_worker_consecutive_failures gauge
perch_worker_consecutive_failures{worker="app"} 2
# TYPE perch_worker_last_death_timestamp_seconds gauge
perch_worker_last_death_timestamp_seconds{worker="app"} 1767225600.007
# TYPE perch_worker_outage_seconds histogram
perch_worker_outage_seconds_bucket{worker="app",le="0.001"} 0
perch_worker_outage_seconds_bucket{worker="app",le="0.0025"} 1
perch_worker_outage_seconds_bucket{worker="app",le="0.005"} 1
perch_worker_outage_seconds_bucket{worker="app",le="0.01"} 1
perch_worker_outage_seconds_bucket{worker="app",le="0.025"} 1
perch_worker_outage_seconds_bucket{worker="app",le="0.05"} 1
perch_worker_outage_seconds_bucket{worker="app",le="0.1"} 1
perch_worker_outage_seconds_bucket{worker="app",le="0.25"} 1
perch_worker_outage_seconds_bucket{worker="app",le="0.5"} 1
perch_worker_outage_seconds_bucket{worker="app",le="1"} 1
perch_worker_outage_seconds_bucket{worker="app",le="2.5"} 1
perch_worker_outage_seconds_bucket{worker="app",le="5"} 1
perch_worker_outage_seconds_bucket{worker="app",le="10"} 1
perch_worker_outage_seconds_bucket{worker="app",le="30"} 1
perch_worker_outage_seconds_bucket{worker="app",le="60"} 1
perch_worker_outage_seconds_bucket{worker="app",le="300"} 1
perch_worker_outage_seconds_bucket{worker="app",le="+Inf"} 1
perch_worker_outage_seconds_sum{worker="app"} 0.002
perch_worker_outage_seconds_count{worker="app"} 1
# TYPE perch_worker_startup_seconds histogram
perch_worker_startup_seconds_bucket{worker="app",le="0.001"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.0025"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.005"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.01"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.025"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.05"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.1"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.25"} 0
perch_worker_startup_seconds_bucket{worker="app",le="0.5"} 0
perch_worker_startup_seconds_bucket{worker="app",le="1"} 0
perch_worker_startup_seconds_bucket{worker="app",le="2.5"} 0
perch_worker_startup_seconds_bucket{worker="app",le="5"} 0
perch_worker_startup_seconds_bucket{worker="app",le="10"} 0
perch_worker_startup_seconds_bucket{worker="app",le="30"} 0
perch_worker_startup_seconds_bucket{worker="app",le="60"} 0
perch_worker_startup_seconds_bucket{worker="app",le="300"} 0
perch_worker_startup_seconds_bucket{worker="app",le="+Inf"} 0
perch_worker_startup_seconds_sum{worker="app"} 0
perch_worker_startup_seconds_count{worker="app"} 0
# TYPE perch_worker_intercepted_total counter
perch_worker_intercepted_total{worker="app",call="bind"} 3
perch_worker_intercepted_total{worker="app",call="unlink"} 0
# TYPE perch_worker_memory_usage_bytes gauge
perch_worker_memory_usage_bytes{worker="app"} 1000
# TYPE perch_worker_memory_limit_bytes gauge
# TYPE perch_worker_memory_peak_bytes gauge
perch_worker_memory_peak_bytes{worker="app"} 2000
# TYPE perch_worker_memory_nonreclaimable_bytes gauge
perch_worker_memory_nonreclaimable_bytes{worker="app"} 700
# TYPE perch_worker_memory_recycle_at_bytes gauge
perch_worker_memory_recycle_at_bytes{worker="app"} 900
# TYPE perch_listener_queued_connections gauge
# TYPE perch_listener_backlog_connections gauge
perch_listener_backlog_connections{listener="api"} 4096
# TYPE perch_listener_up gauge
perch_listener_up{listener="api"} 1
# TYPE perch_listener_heals_total counter
perch_listener_heals_total{listener="api",kind="removed"} 0
perch_listener_heals_total{listener="api",kind="replaced"} 0
perch_listener_heals_total{listener="api",kind="displaced"} 2
perch_listener_heals_total{listener="api",kind="mode"} 0
perch_listener_heals_total{listener="api",kind="spare"} 0
perch_listener_heals_total{listener="api",kind="rebound"} 0
perch_listener_heals_total{listener="api",kind="reclaimed"} 0
# TYPE perch_listener_backlog_restored_total counter
perch_listener_backlog_restored_total{listener="api"} 0
# TYPE perch_listener_info gauge
perch_listener_info{listener="api",path="/run/a.sock",inode="77"} 1
)");
}

TEST_CASE("every family has its help before its type, on one line") {
  const std::string text = to_metrics(example());
  std::istringstream lines(text);
  std::string before;
  for (std::string line; std::getline(lines, line); before = line) {
    if (!line.starts_with("# TYPE ")) continue;
    const std::string name = line.substr(7, line.find(' ', 7) - 7);
    CHECK(before.starts_with("# HELP " + name + " "));
    CHECK(before.ends_with("."));
  }
}

TEST_CASE("a perch that was never reloaded runs what it was given") {
  const auto text = to_metrics(Status{});
  CHECK(lines_of(text, "perch_config_last_reload_successful") ==
        std::vector<std::string>{"perch_config_last_reload_successful 1"});
}

TEST_CASE("a label's value may be any bytes") {
  Status status;
  status.listeners["api"].path = "/a \"b\\c\nd\t\xff\xc3\xa9";
  CHECK(lines_of(to_metrics(status), "perch_listener_info") ==
        std::vector<std::string>{
            "perch_listener_info{listener=\"api\",path=\"/a \\\"b\\\\c\\nd\t\xef\xbf\xbd\xc3\xa9\","
            "inode=\"\"} 1"});
}

TEST_CASE("a histogram's buckets hold all that is no longer than their bound") {
  Histogram histogram;
  for (const auto duration : {0us, 1'000us, 1'001us, 300'000'000us, 300'000'001us}) {
    histogram.observe(duration);
  }
  Exposition out;
  out.family("wait_seconds", Exposition::Type::Histogram, "How long.");
  out.sample({"who", "me"}, histogram);
  const std::string text = std::move(out).take();
  CHECK(text.contains("# TYPE wait_seconds histogram\n"));
  CHECK(text.contains("wait_seconds_bucket{who=\"me\",le=\"0.001\"} 2\n"));
  CHECK(text.contains("wait_seconds_bucket{who=\"me\",le=\"0.0025\"} 3\n"));
  CHECK(text.contains("wait_seconds_bucket{who=\"me\",le=\"60\"} 3\n"));
  CHECK(text.contains("wait_seconds_bucket{who=\"me\",le=\"300\"} 4\n"));
  CHECK(text.contains("wait_seconds_bucket{who=\"me\",le=\"+Inf\"} 5\n"));
  CHECK(text.contains("wait_seconds_count{who=\"me\"} 5\n"));
}

}  // namespace perch::control
