// SPDX-License-Identifier: Apache-2.0
// Several workers, each with a memory cgroup of its own: whose an OOM kill was is not a guess.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/client.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/requirement.h"
#include "tests/support/two_workers.h"
#include "tests/support/wait_until.h"

namespace perch::test {
namespace {

std::uint64_t worker_mib() { return is_sanitized() ? 256 : 32; }
std::string max_of(std::uint64_t mib) { return "max = \"" + std::to_string(mib) + "MiB\""; }

struct Scene {
  std::unique_ptr<MemoryCgroup> container = MemoryCgroup::make((worker_mib() * 8) << 20U);
  [[nodiscard]] bool possible() const {
    return have(container != nullptr, "needs a writable memory cgroup");
  }
};

}  // namespace

TEST_CASE("10 OOM kills of each of two workers in turn are each its own") {
  const Scene scene;
  if (!scene.possible()) return;
  TwoWorkers workers(max_of(worker_mib()), {.cgroups = {scene.container->procs()}});
  check_attribution(workers, 10);
  const auto death = workers.perch().worker("one")["last_deaths"][0];
  CHECK(death["memory_limit_bytes"] == worker_mib() << 20U);
}

TEST_CASE("a kill inside one worker's tree is counted for that worker") {
  const Scene scene;
  if (!scene.possible()) return;
  TwoWorkers workers(max_of(worker_mib()), {.cgroups = {scene.container->procs()}});
  for (int i = 1; i <= 3; ++i) {
    const auto reply = ask(workers.socket("two"), "hog-child");
    REQUIRE(reply);
    CHECK(reply->text == "child ended by signal 9");
    CHECK(wait_until([&] { return workers.perch().worker("two")["oom_in_tree"] == i; }));
  }
  CHECK(workers.perch().worker("one")["oom_in_tree"] == 0);
  CHECK(workers.perch().worker("two")["starts"] == 1);
}

TEST_CASE("a limit is changed while the worker runs") {
  const Scene scene;
  if (!scene.possible()) return;
  TwoWorkers workers(max_of(worker_mib()), {.cgroups = {scene.container->procs()}});
  const auto limit = [&] { return workers.perch().worker("one")["memory"]["limit_bytes"]; };
  CHECK(limit() == worker_mib() << 20U);
  workers.write_config(max_of(worker_mib() * 2));
  workers.perch().process().signal(SIGHUP);
  CHECK(wait_until([&] { return limit() == worker_mib() * 2 << 20U; }));
  CHECK(workers.perch().worker("one")["starts"] == 1);
}

TEST_CASE("a limit below what the worker has waits for its next start") {
  const Scene scene;
  if (!scene.possible()) return;
  TwoWorkers workers(max_of(worker_mib() * 2), {.cgroups = {scene.container->procs()}});
  const auto worker = [&] { return workers.perch().worker("one"); };
  const auto held = ask(workers.socket("one"), "hold " + std::to_string(worker_mib() * 5 / 4));
  REQUIRE(held);
  workers.write_config(max_of(worker_mib()));
  REQUIRE(workers.perch().request("POST", "/v1/reload").status == 200);
  CHECK(worker()["memory"]["limit_bytes"] == worker_mib() * 2 << 20U);
  CHECK(workers.perch().log().contains("less than it has already: from its next start on"));
  CHECK(worker()["starts"] == 1);
  ::kill(held->pid, SIGKILL);
  CHECK(ask_newer(workers.socket("one"), held->generation).pid != held->pid);
  CHECK(worker()["memory"]["limit_bytes"] == worker_mib() << 20U);
  CHECK(worker()["deaths"]["oom-kill"] == 0);
}

TEST_CASE("limits that do not fit into the container together are told of, by a check too") {
  const Scene scene;
  if (!scene.possible()) return;
  TwoWorkers workers(max_of(worker_mib()), {.cgroups = {scene.container->procs()}});
  const std::string told = "workers one, two: memory.max of all is";
  CHECK_FALSE(workers.perch().log().contains(told));
  workers.write_config(max_of(worker_mib() * 6));
  REQUIRE(workers.perch().request("POST", "/v1/reload").status == 200);
  CHECK(workers.perch().log().contains(told));
  Process check({.argv = {perch_binary(), "check", "-c", workers.perch().config_path()},
                 .cgroups = {scene.container->procs()}});
  CHECK(check.wait() == exited(0));
  CHECK(check.err().contains(told));
}

TEST_CASE("a worker's cgroup goes with perch") {
  const Scene scene;
  if (!scene.possible()) return;
  TwoWorkers workers(max_of(worker_mib()), {.cgroups = {scene.container->procs()}});
  workers.perch().process().signal(SIGTERM);
  CHECK(workers.perch().process().wait() == exited(0));
}

}  // namespace perch::test
