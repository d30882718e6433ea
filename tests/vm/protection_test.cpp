// SPDX-License-Identifier: Apache-2.0
// Does perch survive what the OOM killer does to its container? Each tier on a real cgroup version
// 2, where memory.oom.group makes one kill take everybody.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/client.h"
#include "tests/support/process_info.h"
#include "tests/support/wait_until.h"
#include "tests/vm/service.h"

namespace perch::test {
namespace {

// A fresh container, as the kubelet starts one anew.
void die_unprotected() {
  Service service({});
  CHECK(service.tier() == "d");
  CHECK(
      service.perch().log().contains("takes perch with it; better: run perch as root with "
                                     "CAP_SYS_RESOURCE"));
  CHECK_FALSE(ask(service.api(), "hog"));
  REQUIRE(service.perch().process().wait() == killed_by(SIGKILL));
  // The worker, killed with it, may take a moment longer to let go of the listener.
  CHECK(wait_until([&] { return Client(service.api()).error() == ECONNREFUSED; }));
}

}  // namespace

TEST_CASE("with CAP_SYS_RESOURCE perch survives kills of its whole cgroup, nobody is refused") {
  Service service({.sys_resource = SysResource::Kept});
  CHECK(service.tier() == "b");
  service.survives_oom_kills();
  CHECK(service.container().read("memory.oom.group") == "1\n");
}

TEST_CASE("unprotected, perch dies with its worker 20 of 20 times, as it had warned") {
  for (int i = 0; i < kKills; ++i) die_unprotected();
}

TEST_CASE("where memory.oom.group is 0 a kill takes the worker alone") {
  Service service({.oom_group = OomGroup::Off});
  CHECK(service.tier() == "c");
  CHECK(service.oom_kill()["cause"] == "oom-kill");
  CHECK(service.oom_kill()["cause"] == "oom-kill");
}

TEST_CASE("where memory.oom.group can be written perch sets it to 0, and is spared") {
  Service service({.access = CgroupAccess::GroupWritable});
  CHECK(service.tier() == "a0");
  CHECK(service.container().read("memory.oom.group") == "0\n");
  CHECK(service.oom_kill()["cause"] == "oom-kill");
  CHECK(service.oom_kill()["cause"] == "oom-kill");
}

TEST_CASE("the container that these tests make is one") {
  Service service({.sys_resource = SysResource::Kept});
  CHECK(status_field(service.perch().pid(), "CapBnd") == "00000000a90425fb");
  CHECK(service.container()
            .read("cgroup.procs")
            .contains(std::to_string(service.perch().pid()) + "\n"));
  const auto mounts = ask(service.api(), "read /proc/self/mountinfo");
  REQUIRE(mounts);
  CHECK(mounts->text.contains(" / /sys/fs/cgroup ro,"));
}

}  // namespace perch::test
