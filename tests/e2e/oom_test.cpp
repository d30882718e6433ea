// SPDX-License-Identifier: Apache-2.0
// The kernel's OOM killer, for real: perch and its worker share one memory cgroup with a limit, as
// they do in a container.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/memory_cgroup.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

// perch itself has to fit, also with a sanitizer's shadow memory.
std::uint64_t limit() { return (is_sanitized() ? 384U : 64U) << 20U; }

class Container {
 public:
  Container()
      : cgroup_(MemoryCgroup::make(limit())),
        perch_(directory_, app_config(directory_), {.cgroups = {cgroup_->procs()}}) {
    REQUIRE(perch_.wait_ready());
  }
  static bool possible() {
    return have(MemoryCgroup::make(limit()) != nullptr, "needs a writable memory cgroup");
  }

  // Does it, waits for the death it causes, and gives its record.
  template <class Action>
  nlohmann::json death_by(Action&& action) {
    const Reply reply = ask_newer(api(), last_);
    last_ = reply.generation;
    action(reply);
    return perch_.death_of(last_);
  }

  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }
  PerchProcess& perch() { return perch_; }

 private:
  std::unique_ptr<MemoryCgroup> cgroup_;
  TemporaryDirectory directory_;
  PerchProcess perch_;
  std::uint64_t last_ = 0;
};

}  // namespace

TEST_CASE("50 of 50 OOM kills are oom-kill, with evidence") {
  if (!Container::possible()) return;
  Container container;
  for (int i = 0; i < 50; ++i) {
    const auto death =
        container.death_by([&](const Reply&) { CHECK_FALSE(ask(container.api(), "hog")); });
    CHECK(death["cause"] == "oom-kill");
    CHECK(death["signal"] == SIGKILL);
    CHECK(death["detail"] != "");
    CHECK(death["memory_peak_bytes"].get<std::uint64_t>() > limit() / 2);
    CHECK(death["uptime_seconds"].get<double>() > 0);
  }
  CHECK(container.perch().worker()["deaths"]["oom-kill"] == 50);
  CHECK(container.perch().worker()["deaths"]["signal"] == 0);
}

TEST_CASE("50 of 50 kills by hand in the same cgroup are signal") {
  if (!Container::possible()) return;
  Container container;
  for (int i = 0; i < 50; ++i) {
    const auto death = container.death_by([](const Reply& reply) { ::kill(reply.pid, SIGKILL); });
    CHECK(death["cause"] == "signal");
  }
  CHECK(container.perch().worker()["deaths"]["signal"] == 50);
  CHECK(container.perch().worker()["deaths"]["oom-kill"] == 0);
}

TEST_CASE("OOM kills and kills by hand in turn are told apart") {
  if (!Container::possible()) return;
  Container container;
  for (int i = 0; i < 10; ++i) {
    const auto by_kernel =
        container.death_by([&](const Reply&) { CHECK_FALSE(ask(container.api(), "hog")); });
    CHECK(by_kernel["cause"] == "oom-kill");
    const auto by_hand = container.death_by([](const Reply& reply) { ::kill(reply.pid, SIGKILL); });
    CHECK(by_hand["cause"] == "signal");
  }
}

TEST_CASE("an OOM-killed child of the worker is counted and restarts nothing") {
  if (!Container::possible()) return;
  Container container;
  const Reply before = ask_newer(container.api(), 0);
  for (int i = 1; i <= 10; ++i) {
    const auto reply = ask(container.api(), "hog-child");
    REQUIRE(reply);
    CHECK(reply->text == "child ended by signal 9");
    CHECK(reply->pid == before.pid);
    CHECK(wait_until([&] { return container.perch().worker()["oom_in_tree"] == i; }));
  }
  CHECK(container.perch().worker()["starts"] == 1);
  CHECK(container.perch().worker()["deaths"]["oom-kill"] == 0);

  const auto death = container.death_by([](const Reply& reply) { ::kill(reply.pid, SIGKILL); });
  CHECK(death["cause"] == "signal");
}

}  // namespace perch::test
