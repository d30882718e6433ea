// SPDX-License-Identifier: Apache-2.0
// Process trees: what a generation left behind dies with it, and nothing else does.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <sstream>

#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"

namespace perch::test {
namespace {

std::vector<pid_t> pids_in(const std::string& text) {
  std::vector<pid_t> pids;
  std::istringstream words(text);
  for (pid_t pid = 0; words >> pid;) pids.push_back(pid);
  return pids;
}

bool all_alive(const std::vector<pid_t>& pids) { return std::ranges::all_of(pids, alive); }
bool none_alive(const std::vector<pid_t>& pids) { return std::ranges::none_of(pids, alive); }

std::string two_workers(const TemporaryDirectory& directory) {
  std::string config;
  for (const char* name : {"one", "two"}) {
    config += fmt::format(R"([listeners.{0}]
path = "{1}"
[workers.{0}]
command = {2}
listeners = ["{0}"]
[workers.{0}.restart]
delay = "0ms"
)",
                          name, directory.path(name), worker_command("listen-fds"));
  }
  return config;
}

}  // namespace

TEST_CASE("killing a worker ends its double-forked children and leaves another worker's alone") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, two_workers(directory));
  REQUIRE(perch.wait_ready());
  const Reply two = ask_newer(directory.path("two"), 0, "daemons 3");
  const std::vector<pid_t> others = pids_in(two.text);
  REQUIRE(others.size() == 3);

  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    const Reply one = ask_newer(directory.path("one"), last, "daemons 3");
    const std::vector<pid_t> own = pids_in(one.text);
    last = one.generation;
    REQUIRE(own.size() == 3);
    REQUIRE(all_alive(own));
    ::kill(one.pid, SIGKILL);
    CHECK(ask_newer(directory.path("one"), last).generation == last + 1);
    CHECK(none_alive(own));
    CHECK(all_alive(others));
  }
  CHECK(ask(directory.path("two"), "ping")->pid == two.pid);
  CHECK(perch.worker("two")["starts"] == 1);
}

TEST_CASE("two workers that die at once leave nothing behind") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, two_workers(directory));
  REQUIRE(perch.wait_ready());
  for (std::uint64_t last = 0; last < 10; ++last) {
    const Reply one = ask_newer(directory.path("one"), last, "daemons 2");
    const Reply two = ask_newer(directory.path("two"), last, "daemons 2");
    ::kill(one.pid, SIGKILL);
    ::kill(two.pid, SIGKILL);
    (void)ask_newer(directory.path("one"), last + 1);
    (void)ask_newer(directory.path("two"), last + 1);
    CHECK(none_alive(pids_in(one.text)));
    CHECK(none_alive(pids_in(two.text)));
  }
}

TEST_CASE("a stop ends the workers and all they left behind") {
  const TemporaryDirectory directory;
  PerchProcess perch(directory, two_workers(directory));
  const std::vector<pid_t> one = pids_in(ask_newer(directory.path("one"), 0, "daemons 3").text);
  const std::vector<pid_t> two = pids_in(ask_newer(directory.path("two"), 0, "daemons 3").text);
  perch.process().signal(SIGTERM);
  CHECK(perch.process().wait() == exited(0));
  CHECK(none_alive(one));
  CHECK(none_alive(two));
}

}  // namespace perch::test
