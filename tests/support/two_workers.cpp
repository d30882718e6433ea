// SPDX-License-Identifier: Apache-2.0
#include "tests/support/two_workers.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>

#include "tests/support/client.h"
#include "tests/support/wait_until.h"

namespace perch::test {

TwoWorkers::TwoWorkers(const std::string& memory, const Surroundings& surroundings)
    : perch_(directory_, config(memory), surroundings) {
  REQUIRE(perch_.wait_ready());
}

std::string TwoWorkers::config(const std::string& memory) const {
  std::string text;
  for (const char* name : {"one", "two"}) {
    text += fmt::format(R"([listeners.{0}]
path = "{1}"
[workers.{0}]
command = {2}
listeners = ["{0}"]
[workers.{0}.restart]
delay = "0ms"
[workers.{0}.memory]
{3}
)",
                        name, directory_.path(name), worker_command("listen-fds"), memory);
  }
  return text;
}

void TwoWorkers::write_config(const std::string& memory) const {
  perch_.write_config(config(memory));
}

nlohmann::json TwoWorkers::oom_kill(const std::string& worker) {
  std::uint64_t& last = last_[worker];
  last = ask_newer(socket(worker), last).generation;
  CHECK_FALSE(ask(socket(worker), "hog"));
  return perch_.death_of(last, worker);
}

void check_attribution(TwoWorkers& workers, int kills_of_each) {
  for (int i = 1; i <= kills_of_each; ++i) {
    for (const char* name : {"one", "two"}) {
      const nlohmann::json death = workers.oom_kill(name);
      CHECK(death["cause"] == "oom-kill");
      CHECK(death["signal"] == SIGKILL);
      CHECK(death["memory_limit_bytes"].is_number());
      CHECK(death["detail"].get<std::string>().contains(std::string("-") + name));
    }
    CHECK(workers.perch().worker("one")["deaths"]["oom-kill"] == i);
    CHECK(workers.perch().worker("two")["deaths"]["oom-kill"] == i);
  }
  for (const char* name : {"one", "two"}) {
    const nlohmann::json worker = workers.perch().worker(name);
    CHECK(worker["deaths"]["signal"] == 0);
    CHECK(worker["oom_in_tree"] == 0);
    CHECK(worker["starts"] == kills_of_each + 1);
    CHECK(worker["memory"]["cgroup"] == "own");
  }
}

}  // namespace perch::test
