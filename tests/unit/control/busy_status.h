// SPDX-License-Identifier: Apache-2.0
// A status document with something in every corner, for the tests of what people see of it.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>

#include "supervisor/control/status.h"

namespace perch::test {

inline control::Status busy_status() {
  control::Status status;
  status.perch.version = "0.1.0";
  status.perch.pid = 1;
  status.perch.uptime = std::chrono::hours(5);
  status.perch.config = "/etc/perch/perch.toml";
  status.perch.oom_protection = {.tier = "c",
                                 .detail =
                                     "memory.oom.group is 0: the kernel picks one process, "
                                     "and the worker's score is raised above perch's"};
  status.listeners["api"] = {.path = "/run/app/" + std::string(58, 'p') + "/api.sock",
                             .inode = 18'446'744'073'709'551ULL,
                             .backlog = 4096,
                             .queued = 17,
                             .claimed = "replaced-stale",
                             .healable = true,
                             .heals = {2}};
  control::WorkerStatus worker;
  worker.state = "backoff";
  worker.listeners = {"api"};
  worker.starts = 8;
  worker.deaths.at(static_cast<std::size_t>(lifecycle::Cause::OomKill)) = 7;
  worker.intercept = control::CallCounts{{"bind", 8}, {"unlink", 7}};
  worker.consecutive_failures = 4;
  worker.outage.last = worker.outage.p50 = control::Seconds(0.0016);
  worker.outage.max = control::Seconds(2.5);
  worker.instances.push_back({.pid = {},
                              .generation = 8,
                              .state = "backoff",
                              .uptime = {},
                              .next_start_in = control::Seconds(1.25),
                              .status_text = "warming \x1b[31mup",
                              .stuck = false});
  control::DeathRecord death;
  death.generation = 8;
  death.cause = lifecycle::Cause::OomKill;
  death.detail = "memory.events oom_kill grew from 6 to 7";
  death.memory_peak_bytes = 12U << 20U;
  death.stderr_tail = {"allocating", "still allocating"};
  worker.last_deaths.push_back(death);
  status.workers["app"] = worker;
  return status;
}

// Of the lines of `text`.
inline std::size_t widest(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

}  // namespace perch::test
