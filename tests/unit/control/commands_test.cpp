// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <future>
#include <iostream>
#include <sstream>

#include "common/posix/file.h"
#include "supervisor/cli/ready_command.h"
#include "supervisor/cli/reload_command.h"
#include "supervisor/cli/status_command.h"
#include "supervisor/cli/status_table.h"
#include "tests/unit/control/fixture.h"

namespace perch::cli {
namespace {

using control::Served;
using std::chrono::milliseconds;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// The test's own stdout and stderr are the command's while it runs.
Outcome run(Served& served, const std::function<int()>& command) {
  const auto out = served.directory.path("out");
  const auto err = served.directory.path("err");
  std::cout.flush();
  std::fflush(stdout);
  const UniqueFd kept_out(::dup(STDOUT_FILENO));
  const UniqueFd kept_err(::dup(STDERR_FILENO));
  ::dup2(open_file(out, O_WRONLY | O_CREAT | O_TRUNC, 0600)->get(), STDOUT_FILENO);
  ::dup2(open_file(err, O_WRONLY | O_CREAT | O_TRUNC, 0600)->get(), STDERR_FILENO);
  auto code = std::async(std::launch::async, command);
  const bool ended = served.turn_until(
      [&] { return code.wait_for(milliseconds{0}) == std::future_status::ready; });
  ::dup2(kept_out.get(), STDOUT_FILENO);
  ::dup2(kept_err.get(), STDERR_FILENO);
  REQUIRE(ended);
  return {.code = code.get(), .out = *read_file(out), .err = *read_file(err)};
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t widest(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

control::Status busy_status() {
  control::Status status;
  status.perch.version = "0.1.0";
  status.perch.pid = 1;
  status.perch.uptime = std::chrono::hours(5);
  status.perch.config = "/etc/perch/perch.toml";
  status.perch.oom_protection = {.tier = "c",
                                 .detail =
                                     "memory.oom.group is 0: the kernel picks one process, "
                                     "and the worker's score is raised above perch's"};
  status.listeners["api"] = {.path = "/run/app/" + std::string(60, 'p') + "/api.sock",
                             .inode = 18'446'744'073'709'551ULL,
                             .backlog = 4096,
                             .queued = 17,
                             .claimed = "replaced-stale",
                             .healable = true,
                             .heals = 2};
  control::WorkerStatus worker;
  worker.state = "backoff";
  worker.starts = 8;
  worker.deaths.at(static_cast<std::size_t>(lifecycle::Cause::OomKill)) = 7;
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
  death.stderr_tail = {"allocating", "still allocating"};
  worker.last_deaths.push_back(death);
  status.workers["app"] = worker;
  return status;
}

}  // namespace

TEST_CASE("the table says what matters and keeps to 80 columns") {
  const auto table = status_table(control::to_json(busy_status()), Colour::Off);
  REQUIRE(table);
  CAPTURE(*table);
  CHECK(widest(*table) <= 80);
  for (const char* part :
       {"perch 0.1.0, pid 1, up 5h00m", "config: /etc/perch/perch.toml", "tier c", "backoff",
        "deaths: oom-kill 7", "outage: last 1.6ms, p50 1.6ms, max 2.5s", "1.2s", "17", "4096",
        "replaced-stale", "oom-kill: memory.events", "last words: still allocating"}) {
    CAPTURE(part);
    CHECK(has(*table, part));
  }
  CHECK_FALSE(has(*table, "exit 0"));
  CHECK_FALSE(has(*table, "\x1b"));
}

TEST_CASE("colour is for terminals that asked") {
  CHECK(
      has(*status_table(control::to_json(busy_status()), Colour::On), "\x1b[33mbackoff  \x1b[0m"));
}

TEST_CASE("a document of another version is shown as far as it goes") {
  CHECK(status_table("{}", Colour::Off));
  CHECK(status_table(R"({"perch": 1, "workers": {"a": null, "b": {"instances": [7],
                         "deaths": [1], "last_deaths": [{}]}}, "listeners": {"l": "?"}})",
                     Colour::Off));
  CHECK_FALSE(status_table("[]", Colour::Off));
  CHECK_FALSE(status_table("not JSON", Colour::Off));
}

TEST_CASE("durations read at a glance") {
  CHECK(human_duration(0) == "0.0ms");
  CHECK(human_duration(0.0016) == "1.6ms");
  CHECK(human_duration(0.12) == "120ms");
  CHECK(human_duration(12.34) == "12.3s");
  CHECK(human_duration(192) == "3m12s");
  CHECK(human_duration(18'240) == "5h04m");
  CHECK(human_duration(183'600) == "2d03h");
}

TEST_CASE("status prints the table, or the document itself") {
  Served served;
  served.target.current = busy_status();
  const auto table = run(served, [&] { return status_command({.control = served.path}); });
  CHECK(table.code == 0);
  CHECK(table.out == *status_table(control::to_json(busy_status()), Colour::Off));
  const auto json =
      run(served, [&] { return status_command({.control = served.path, .json = true}); });
  CHECK(json.code == 0);
  CHECK(json.out == control::to_json(busy_status()) + "\n");
}

TEST_CASE("ready says by its exit code whether the required workers are") {
  Served served;
  const auto command = [&] { return ready_command({.control = served.path}); };
  CHECK(run(served, command).code == 0);
  served.target.waiting_for = {"app"};
  const auto waiting = run(served, command);
  CHECK(waiting.code == 5);
  CHECK(waiting.err == "not ready: app\n");
}

TEST_CASE("ready does not take a busy perch for one that is not ready") {
  Served served({.connections = 0});
  const auto busy = run(served, [&] { return ready_command({.control = served.path}); });
  CHECK(busy.code == 6);
  CHECK(has(busy.err, "too many connections"));
}

TEST_CASE("reload fails with the reason perch gives") {
  Served served;
  const auto command = [&] { return reload_command({.control = served.path}); };
  const auto done = run(served, command);
  CHECK(done.code == 0);
  CHECK(done.out == "configuration reloaded\n");
  served.target.broken = "perch.toml:1:1: nonsense";
  const auto refused = run(served, command);
  CHECK(refused.code == 1);
  CHECK(has(refused.err, "perch.toml:1:1: nonsense"));
}

TEST_CASE("where no perch answers the line says which socket, why, and what to do") {
  Served served;
  const auto nowhere = served.directory.path("nowhere.sock");
  for (const auto& command :
       std::vector<std::function<int()>>{[&] { return status_command({.control = nowhere}); },
                                         [&] { return reload_command({.control = nowhere}); },
                                         [&] { return ready_command({.control = nowhere}); }}) {
    const auto outcome = run(served, command);
    CHECK(outcome.code == 6);
    CHECK(outcome.out.empty());
    CHECK(has(outcome.err, nowhere));
    CHECK(has(outcome.err, "No such file or directory"));
    CHECK(has(outcome.err, "--control"));
  }
}

}  // namespace perch::cli
