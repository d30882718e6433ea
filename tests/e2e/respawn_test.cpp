// SPDX-License-Identifier: Apache-2.0
// Clients and workers that die: the path stays, nobody is refused, what was written is answered.
#include <doctest/doctest.h>
#include <signal.h>

#include <array>
#include <list>
#include <string>

#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/storm_check.h"

namespace perch::test {
namespace {

const std::array<std::string, 3> kHandovers{"channel", "listen-fds", "stdin"};

void kill_again_and_again(const std::string& handover, unsigned kills) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("api.sock");
  const PerchProcess perch(directory, app_config(directory, {.handover = handover}));
  REQUIRE(perch.wait_ready());

  ClientStorm storm({.path = path});
  std::uint64_t last = 0;
  for (unsigned i = 0; i < kills; ++i) {
    const Reply reply = ask_newer(path, last);
    last = reply.generation;
    ::kill(reply.pid, SIGKILL);
  }
  CHECK(ask_newer(path, last).generation == kills + 1);

  const StormCounts counts = storm.stop();
  check_nobody_was_turned_away(counts);
  CHECK(counts.served > kills);
  CHECK(perch.worker()["deaths"]["signal"] == kills);
  CHECK(perch.status()["listeners"]["api"]["inode"] == *counts.inodes.begin());
}

// Between a worker's death and the next one's start for as long as this lives: perch is stopped.
class Gap {
 public:
  Gap(PerchProcess& perch, pid_t worker) : perch_(perch) {
    perch_.process().signal(SIGSTOP);
    REQUIRE(wait_until([this] { return state_of(perch_.pid()) == 'T'; }));
    ::kill(worker, SIGKILL);
    REQUIRE(wait_until([worker] { return !alive(worker); }));
  }
  ~Gap() { perch_.process().signal(SIGCONT); }
  Gap(const Gap&) = delete;
  Gap& operator=(const Gap&) = delete;

 private:
  PerchProcess& perch_;
};

}  // namespace

TEST_CASE("200 workers are killed under 4 clients, and no client is refused") {
  for (const std::string& handover : kHandovers) {
    CAPTURE(handover);
    kill_again_and_again(handover, 200);
  }
}

TEST_CASE("clients that connect in the gap are served, with the bytes they had already written") {
  for (const std::string& handover : kHandovers) {
    CAPTURE(handover);
    const TemporaryDirectory directory;
    const std::string path = directory.path("api.sock");
    PerchProcess perch(directory, app_config(directory, {.handover = handover}));
    REQUIRE(perch.wait_ready());
    const Reply before = ask_newer(path, 0);

    std::list<Client> clients;
    {
      const Gap gap(perch, before.pid);
      for (int i = 0; i < 100; ++i) {
        Client& client = clients.emplace_back(path);
        REQUIRE(client.error() == 0);
        REQUIRE(client.send("line " + std::to_string(i) + "\nand another\n"));
      }
    }
    for (int i = 0; Client & client : clients) {
      const auto first = parse_reply(client.line().value_or(""));
      REQUIRE(first);
      CHECK(first->generation == before.generation + 1);
      CHECK(first->text == "line " + std::to_string(i++));
      CHECK(client.line().value_or("").ends_with("and another"));
    }
  }
}

TEST_CASE("a worker that exits is restarted after the backoff, and the client only waits") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("api.sock");
  const PerchProcess perch(
      directory, app_config(directory, {.restart = "burst = 0\ndelay = \"300ms\"\njitter = 0.0"}));
  const Reply before = ask_newer(path, 0);
  CHECK_FALSE(ask(path, "exit 5"));
  const auto after = ask(path, "ping");
  REQUIRE(after);
  CHECK(after->generation == before.generation + 1);
  auto worker = perch.worker();
  CHECK(worker["deaths"]["exit"] == 1);
  CHECK(worker["last_deaths"][0]["status"] == 5);
  CHECK(worker["outage_seconds"]["last"].get<double>() >= 0.3);
}

TEST_CASE("the next generation is told why the last one ended") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("api.sock");
  const PerchProcess perch(directory, app_config(directory));
  const Reply before = ask_newer(path, 0);
  ::kill(before.pid, SIGKILL);
  CHECK(ask_newer(path, before.generation, "env PERCH_LAST_CAUSE").text == "signal");
  CHECK(ask(path, "env PERCH_GENERATION")->text == "app/2");
  CHECK(ask(path, "env PERCH_WORKER")->text == "app");
}

}  // namespace perch::test
