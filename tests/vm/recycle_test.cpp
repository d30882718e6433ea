// SPDX-License-Identifier: Apache-2.0
// Before the kill: in a container where it would take perch as well, a worker that needs too much
// memory is replaced in time, and one that fills its cgroup with files is not.
#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_event.h"
#include "tests/support/client.h"
#include "tests/vm/service.h"

namespace perch::test {
namespace {

constexpr int kReplacements = 20;
// An emulated machine stands still now and then, and a leak goes by the clock: from mark to limit
// it takes seconds here.
constexpr std::uint64_t kRoomyLimit = 256U << 20U;
const std::vector<std::string> kLeak{"--leak", "30"};

bool is_prioritized(const UniqueFd& fd, std::chrono::milliseconds within) {
  pollfd news{.fd = fd.get(), .events = POLLPRI, .revents = 0};
  return ::poll(&news, 1, static_cast<int>(within.count())) == 1 && news.revents == POLLPRI;
}

}  // namespace

TEST_CASE("20 of 20 times a leaking worker is replaced before the kill that would take perch") {
  Service service({.memory_max = kRoomyLimit},
                  {.arguments = kLeak,
                   .worker = "memory = { recycle_at = \"15%\", recycle_after = \"200ms\" }"});
  CHECK(service.tier() == "d");
  ClientStorm storm({.path = service.api()}, 2);
  REQUIRE(wait_until(
      [&] { return service.perch().worker()["deaths"]["memory-recycle"] >= kReplacements; },
      std::chrono::minutes(2)));
  check_nobody_was_refused(storm.stop());
  CHECK(service.perch().worker()["deaths"]["oom-kill"] == 0);
  CHECK(service.perch().worker()["deaths"]["signal"] == 0);
  CHECK(service.container().read("memory.events").contains("oom_kill 0\n"));
}

TEST_CASE("a worker with a cgroup of its own is replaced by what it needs of its own limit") {
  Service service(
      {.memory_max = kRoomyLimit, .access = CgroupAccess::Writable},
      {.arguments = kLeak,
       .worker = "memory = { max = \"128MiB\", recycle_at = \"25%\", recycle_after = \"100ms\" }"});
  CHECK(service.tier() == "a");
  REQUIRE(wait_until([&] { return service.perch().worker()["deaths"]["memory-recycle"] >= 5; }));
  CHECK(service.perch().worker()["deaths"]["oom-kill"] == 0);
  CHECK(service.perch().worker()["deaths"]["signal"] == 0);
}

TEST_CASE("a worker that writes files until 98 % of its memory is used is never replaced") {
  constexpr std::uint64_t kLimit = 96U << 20U;
  Service service({.memory_max = kLimit},
                  {.worker = "memory = { recycle_at = \"50%\", recycle_after = \"200ms\" }"});
  std::uint64_t most = 0;
  for (int i = 0; i < 20; ++i) {
    const auto reply = ask(service.api(), "write 100 /disk/file");
    REQUIRE(reply);
    REQUIRE(reply->text == "written");
    most = std::max<std::uint64_t>(most, std::stoull(service.container().read("memory.current")));
  }
  CHECK(most > kLimit / 100 * 98);
  CHECK(service.perch().worker()["starts"] == 1);
  CHECK(service.container().read("memory.events").contains("oom_kill 0\n"));
}

TEST_CASE("the kernel tells once processes wait for memory, long before it kills one") {
  const Container container({.memory_max = kRoomyLimit});
  REQUIRE(write_file(container.cgroup() + "/memory.high", std::to_string(16U << 20U)));
  const auto pressure = process::watch_memory_pressure(container.cgroup());
  REQUIRE_MESSAGE(pressure.has_value(), (pressure ? "" : pressure.error().text()));
  CHECK_FALSE(is_prioritized(*pressure, std::chrono::milliseconds::zero()));
  const Process greedy({.argv = {"dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"},
                        .cgroups = {container.cgroup() + "/cgroup.procs"}});
  CHECK(is_prioritized(*pressure, kPatience));
  CHECK(container.read("memory.events").contains("oom_kill 0\n"));
}

}  // namespace perch::test
