// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <future>
#include <iostream>

#include "common/posix/file.h"
#include "common/value/human.h"
#include "supervisor/cli/ask_perch.h"
#include "supervisor/cli/events_command.h"
#include "supervisor/cli/ready_command.h"
#include "supervisor/cli/reload_command.h"
#include "supervisor/cli/status_command.h"
#include "supervisor/cli/status_table.h"
#include "supervisor/cli/worker_command.h"
#include "tests/unit/control/busy_status.h"
#include "tests/unit/control/fixture.h"

namespace perch::cli {
namespace {

using control::Served;
using std::chrono::milliseconds;
using test::busy_status;
using test::widest;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// The test's own stdout and stderr are the command's while it runs; `meanwhile` is called again and
// again.
Outcome run(
    Served& served, const std::function<int()>& command,
    const std::function<void()>& meanwhile = [] {}) {
  const auto out = served.directory.path("out");
  const auto err = served.directory.path("err");
  std::cout.flush();
  std::fflush(stdout);
  const UniqueFd kept_out(::dup(STDOUT_FILENO));
  const UniqueFd kept_err(::dup(STDERR_FILENO));
  ::dup2(open_file(out, O_WRONLY | O_CREAT | O_TRUNC, 0600)->get(), STDOUT_FILENO);
  ::dup2(open_file(err, O_WRONLY | O_CREAT | O_TRUNC, 0600)->get(), STDERR_FILENO);
  auto code = std::async(std::launch::async, command);
  const bool ended = served.turn_until([&] {
    meanwhile();
    return code.wait_for(milliseconds{0}) == std::future_status::ready;
  });
  ::dup2(kept_out.get(), STDOUT_FILENO);
  ::dup2(kept_err.get(), STDERR_FILENO);
  REQUIRE(ended);
  return {.code = code.get(), .out = *read_file(out), .err = *read_file(err)};
}

// What a worker goes through once it has been asked to restart.
class Restarting {
 public:
  explicit Restarting(Served& served) : served_(served) {
    state("starting", "ready", 3);  // old news
  }

  [[nodiscard]] std::function<int()> command(
      std::optional<milliseconds> timeout = std::nullopt) const {
    return [this, timeout] {
      return worker_command(
          {.control = served_.path, .request = Request::Restart, .timeout = timeout});
    };
  }
  // Once, as soon as somebody asks.
  [[nodiscard]] std::function<void()> when_asked(std::function<void()> happen) {
    return [this, happen = std::move(happen)] {
      if (served_.target.acted.empty() || happened_) return;
      happened_ = true;
      happen();
    };
  }
  void state(const char* from, const char* to, std::uint64_t generation) {
    served_.target.log.add({.type = control::Event::Type::WorkerState,
                            .worker = "app",
                            .generation = generation,
                            .change = control::Event::Change{from, to, "x"},
                            .message = std::string(from) + " -> " + to});
  }
  void death(std::uint64_t generation) {
    control::DeathRecord record;
    record.detail = "exit status 9";
    served_.target.log.add({.type = control::Event::Type::WorkerDeath,
                            .worker = "app",
                            .generation = generation,
                            .death = record,
                            .message = "died"});
  }

 private:
  Served& served_;
  bool happened_ = false;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the table says what matters and keeps to 80 columns") {
  const auto table = status_table(control::to_json(busy_status()), Colour::Off);
  REQUIRE(table);
  CAPTURE(*table);
  CHECK(widest(*table) <= 80);
  for (const char* part :
       {"perch 0.1.0, pid 1, up 5h00m", "config: /etc/perch/perch.toml", "tier c", "backoff",
        "deaths: oom-kill 7", "outage: last 1.6ms, p50 1.6ms, p99 -, max 2.5s", "1.2s", "17",
        "4096", "replaced-stale", "oom-kill: memory.events", "last words: still allocating"}) {
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

TEST_CASE("restart tells what happens, and is done when a newer generation is ready") {
  Served served;
  served.target.current = busy_status();
  Restarting app(served);
  const auto done = run(served, app.command(), app.when_asked([&] {
    app.state("ready", "stopping", 3);
    app.death(3);
    app.state("stopping", "starting", 3);
    app.state("starting", "ready", 4);
  }));
  CHECK(done.code == 0);
  CHECK(done.out ==
        "ready -> stopping\ndied\nstopping -> starting\nstarting -> ready\n"
        "worker app: generation 4 is ready\n");
  CHECK(done.err == "");
}

TEST_CASE("restart fails with the cause when the new generation dies, and when time is up") {
  Served served;
  served.target.current = busy_status();
  Restarting app(served);
  const auto died = run(served, app.command(), app.when_asked([&] { app.death(4); }));
  CHECK(died.code == 7);
  CHECK(died.err ==
        "perch: restart of worker app: generation 4 ended: exit: exit status 9; see perch status "
        "app\n");
  const auto late = run(served, app.command(milliseconds{20}));
  CHECK(late.code == 7);
  CHECK(has(late.err, "not done in time"));
}

TEST_CASE("restart does not wait for what it may have missed") {
  Served served;
  served.target.current = busy_status();
  Restarting app(served);
  const auto lost = run(served, app.command(), app.when_asked([&] {
    for (std::size_t i = 0; i <= control::EventLog::kCapacity; ++i) app.state("idle", "idle", 3);
  }));
  CHECK(lost.code == 7);
  CHECK(has(lost.err, "too much happened"));
}

TEST_CASE("who asks for an unknown worker, or at the wrong time, is told why") {
  Served served;
  const auto command = [&](const char* worker) {
    return [&served, worker] {
      return worker_command({.control = served.path, .request = Request::Stop, .worker = worker});
    };
  };
  const auto unknown = run(served, command("ap/p?"));
  CHECK(unknown.code == 2);
  CHECK(has(unknown.err, "perch: stop: there is no worker ap%2Fp%3F"));
  served.target.broken = "perch is ending";
  const auto later = run(served, command("app"));
  CHECK(later.code == 1);
  CHECK(later.err == "perch: stop: not now: perch is ending\n");
}

TEST_CASE("who does not want to wait is told that it is under way") {
  Served served;
  const auto asked = run(served, [&] {
    return worker_command(
        {.control = served.path, .request = Request::Stop, .worker = "app", .wait = false});
  });
  CHECK(asked.code == 0);
  CHECK(asked.out == "worker app: stop is under way\n");
}

TEST_CASE("who has no right to ask is refused, and not told that nobody is there") {
  Served served;
  const auto refused = run(served, [] {
    return unexpected_answer("restart", {.status = 403, .body = R"({"error":"for operators"})"});
  });
  CHECK(refused.code == 1);
  CHECK(refused.err == "perch: restart: refused: for operators\n");
}

TEST_CASE("events are printed for people, or as they come") {
  Served served;
  Restarting app(served);
  app.state("starting", "ready", 4);
  const auto lines = run(served, [&] { return events_command({.control = served.path}); });
  CHECK(lines.code == 0);
  CHECK(has(lines.out, " worker-state     starting -> ready\n"));
  const auto json = run(
      served, [&] { return events_command({.control = served.path, .json = true, .since = 1}); });
  CHECK(json.out == control::to_json(served.target.log.kept().back()) + "\n");
  const auto future =
      run(served, [&] { return events_command({.control = served.path, .since = 9}); });
  CHECK(future.code == 6);
  CHECK(has(future.err, "there is no event 9 yet"));
}

TEST_CASE("where no perch answers the line says which socket, why, and what to do") {
  Served served;
  const auto nowhere = served.directory.path("nowhere.sock");
  for (const auto& command :
       std::vector<std::function<int()>>{[&] { return status_command({.control = nowhere}); },
                                         [&] { return reload_command({.control = nowhere}); },
                                         [&] { return events_command({.control = nowhere}); },
                                         [&] { return worker_command({.control = nowhere}); },
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
