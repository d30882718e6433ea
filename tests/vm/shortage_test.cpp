// SPDX-License-Identifier: Apache-2.0
// A shortage of the whole machine, in a guest of little memory: no cgroup is at a limit, and the
// kernel takes the victim it likes best, of all there are.
#include <doctest/doctest.h>

#include <string>

#include "tests/support/client.h"
#include "tests/vm/service.h"

namespace perch::test {
namespace {

constexpr std::uint64_t kMoreThanThereIs = 1ULL << 40U;

void dies_by_shortage(Service& service) {
  for (int i = 0; i < 5; ++i) CHECK(service.oom_kill()["cause"] == "oom-kill");
  CHECK(service.perch().worker()["deaths"]["oom-kill"] == 5);
}

}  // namespace

TEST_CASE("a shortage of the whole machine takes the worker, not perch") {
  Service service({.memory_max = kMoreThanThereIs, .oom_group = OomGroup::Off});
  dies_by_shortage(service);
}

TEST_CASE("one that takes the whole cgroup spares a perch with CAP_SYS_RESOURCE") {
  Service service({.memory_max = kMoreThanThereIs, .sys_resource = SysResource::Kept});
  dies_by_shortage(service);
}

TEST_CASE("a perch that may read the kernel's log says that it was the whole machine") {
  const TemporaryDirectory directory;
  PerchProcess perch(directory, app_config(directory));
  REQUIRE(perch.wait_ready());
  CHECK_FALSE(ask(directory.path("api.sock"), "hog"));
  (void)ask_newer(directory.path("api.sock"), 1);
  const nlohmann::json death = perch.worker()["last_deaths"][0];
  CHECK(death["cause"] == "oom-kill");
  CHECK(death["detail"].get<std::string>().contains("the whole machine was out of memory"));
}

}  // namespace perch::test
