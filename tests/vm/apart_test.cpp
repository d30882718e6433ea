// SPDX-License-Identifier: Apache-2.0
// Tier a: a container that may write to its cgroup. perch divides it, and an OOM kill is one
// worker's affair.
#include <doctest/doctest.h>
#include <signal.h>

#include <string>

#include "common/posix/file.h"
#include "tests/support/client.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/two_workers.h"
#include "tests/vm/service.h"

namespace perch::test {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

std::string worker_cgroup(const PerchProcess& perch, const std::string& worker) {
  return "perch-" + std::to_string(perch.pid()) + "-" + worker;
}

}  // namespace

TEST_CASE("in a cgroup that it may divide perch survives 20 OOM kills, nobody is refused") {
  Service service({.access = CgroupAccess::Writable});
  CHECK(service.tier() == "a");
  CHECK(service.container().read("memory.oom.group") == "0\n");
  CHECK(service.container().read("perch-self/cgroup.procs") ==
        std::to_string(service.perch().pid()) + "\n");
  const std::string own = worker_cgroup(service.perch(), "app");
  CHECK(service.container().read(own + "/memory.max") == std::to_string(60 * kMiB) + "\n");
  service.survives_oom_kills();
  CHECK(service.perch().worker()["memory"]["cgroup"] == "own");
  CHECK(service.perch().worker()["last_deaths"][0]["memory_limit_bytes"] == 60 * kMiB);
}

TEST_CASE("each of two workers' OOM kills is its own, interleaved") {
  const Container container({.memory_max = 128 * kMiB, .access = CgroupAccess::Writable});
  TwoWorkers workers("max = \"48MiB\"", container.inside());
  check_attribution(workers, 5);
}

TEST_CASE(
    "a kill in a worker's tree is counted for it, or takes all of it where it is to restart") {
  Service service({.access = CgroupAccess::Writable});
  const auto reply = ask(service.api(), "hog-child");
  REQUIRE(reply);
  CHECK(reply->text == "child ended by signal 9");
  CHECK(wait_until([&] { return service.perch().worker()["oom_in_tree"] == 1; }));

  Service grouped({.access = CgroupAccess::Writable}, {.worker = "on_child_oom = \"restart\""});
  const std::string own = worker_cgroup(grouped.perch(), "app");
  CHECK(grouped.container().read(own + "/memory.oom.group") == "1\n");
  CHECK_FALSE(ask(grouped.api(), "hog-child"));
  CHECK(wait_until([&] { return grouped.perch().worker()["deaths"]["oom-kill"] == 1; }));
}

TEST_CASE(
    "limits are those of the configuration, also after a reload, and none is above its share") {
  Service service({.access = CgroupAccess::Writable},
                  {.worker = "pids_max = 50\ncpu_weight = 300\nmemory = { max = \"32MiB\", high = "
                             "\"30MiB\" }"});
  const std::string own = worker_cgroup(service.perch(), "app");
  CHECK(service.container().read(own + "/memory.max") == std::to_string(32 * kMiB) + "\n");
  CHECK(service.container().read(own + "/memory.high") == std::to_string(30 * kMiB) + "\n");
  CHECK(service.container().read(own + "/pids.max") == "50\n");
  CHECK(service.container().read(own + "/cpu.weight") == "300\n");
  const auto limit = [&] { return service.perch().worker()["memory"]["limit_bytes"]; };
  const pid_t before = ask_newer(service.api(), 0).pid;
  service.reconfigure({.worker = "memory = { max = \"1GiB\" }"});
  CHECK(wait_until([&] { return limit() == 60 * kMiB; }));
  CHECK(service.container().read(own + "/pids.max") == "max\n");
  CHECK(service.perch().log().contains("memory.max"));
  CHECK(ask_newer(service.api(), 0).pid == before);
}

TEST_CASE("what a container's runtime starts later joins perch's leaf") {
  Service service({.access = CgroupAccess::Writable});
  const std::string& cgroup = service.container().cgroup();
  Process refused({.argv = {"/bin/sh", "-c", "echo 0 > " + cgroup + "/cgroup.procs"}});
  CHECK_FALSE(refused.wait() == exited(0));
  Process joins({.argv = {"/bin/sh", "-c", "cat /proc/self/cgroup"},
                 .cgroups = {cgroup + "/perch-self/cgroup.procs"}});
  CHECK(joins.wait() == exited(0));
  CHECK(joins.out().contains("/perch-self"));
}

TEST_CASE("a worker that divides its own cgroup, as a perch does, is started again") {
  const Container container({.access = CgroupAccess::Writable});
  const TemporaryDirectory directory;
  const std::string api = directory.path("api.sock");
  const std::string config =
      "[listeners.api]\npath = \"" + api +
      "\"\n[workers.app]\nlisteners = [\"api\"]\ncommand = [\"/bin/sh\", \"-c\", '''"
      "IFS=: read -r a b path < /proc/self/cgroup; own=/sys/fs/cgroup$path; "
      "/bin/busybox mkdir $own/leaf; echo $$ > $own/leaf/cgroup.procs; "
      "echo +memory > $own/cgroup.subtree_control; exec " +
      from_build("PERCH_TEST_WORKER") + " --by listen-fds''']\n";
  const PerchProcess perch(directory, config, container.inside());
  REQUIRE(perch.wait_ready());
  for (std::uint64_t generation = 1; generation <= 3; ++generation) {
    const Reply reply = ask_newer(api, generation - 1);
    CHECK(reply.generation == generation);
    CHECK(
        read_file("/proc/" + std::to_string(reply.pid) + "/cgroup").value_or("").contains("/leaf"));
    ::kill(reply.pid, SIGKILL);
  }
}

TEST_CASE(
    "controllers are switched on when a worker needs them; when perch ends all is as it was") {
  Service service({.access = CgroupAccess::Writable});
  const auto enabled = [&] { return service.container().read("cgroup.subtree_control"); };
  CHECK(enabled() == "memory\n");
  service.reconfigure({.worker = "pids_max = 50\ncpu_weight = 300"});
  CHECK(wait_until([&] { return enabled() == "cpu memory pids\n"; }));
  service.perch().process().signal(SIGTERM);
  CHECK(service.perch().process().wait() == exited(0));
  CHECK(enabled().empty());
  CHECK(service.container().read("perch-self/cgroup.type").empty());
}

TEST_CASE("with another process in the container perch stays where it is, and says so") {
  const Container container({.access = CgroupAccess::Writable});
  Process other(
      {.argv = {"/bin/sleep", "1000"}, .cgroups = {container.cgroup() + "/cgroup.procs"}});
  REQUIRE(wait_until([&] { return !container.read("cgroup.procs").empty(); }));
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory), container.inside());
  REQUIRE(perch.wait_ready());
  CHECK(perch.status()["perch"]["oom_protection"]["tier"] == "a0");
  CHECK(perch.log().contains("other processes live in perch's cgroup"));
  CHECK(container.read("cgroup.subtree_control").empty());
}

}  // namespace perch::test
