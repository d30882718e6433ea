// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/service.h"

#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/client.h"
#include "tests/support/storm_check.h"

namespace perch::test {
namespace {

// Emulated processors are slow: more would only wait for each other.
constexpr unsigned kClients = 2;
constexpr std::uint64_t kServedBetween = 5;

void await_service(const ClientStorm& storm) {
  const std::uint64_t before = storm.served();
  REQUIRE(wait_until([&] { return storm.served() > before + kServedBetween; }));
}

}  // namespace

Service::Service(const ContainerSettings& settings, const AppConfig& app)
    : container_(settings), perch_(directory_, app_config(directory_, app), container_.inside()) {
  REQUIRE(perch_.wait_ready());
}

std::string Service::tier() const {
  const std::string tier = perch_.status()["perch"]["oom_protection"]["tier"];
  CHECK(perch_.log().contains("oom protection " + tier + ": "));
  return tier;
}

void Service::reconfigure(const AppConfig& app) {
  perch_.write_config(app_config(directory_, app));
  perch_.process().signal(SIGHUP);
}

nlohmann::json Service::oom_kill() {
  last_ = ask_newer(api(), last_).generation;
  CHECK_FALSE(ask(api(), "hog"));
  return perch_.death_of(last_);
}

void Service::survives_oom_kills() {
  ClientStorm storm({.path = api()}, kClients);
  for (int i = 0; i < kKills; ++i) {
    await_service(storm);
    const nlohmann::json death = oom_kill();
    CHECK(death["cause"] == "oom-kill");
    CHECK(death["signal"] == SIGKILL);
  }
  await_service(storm);
  check_nobody_was_refused(storm.stop());
  CHECK(perch_.worker()["deaths"]["oom-kill"] == kKills);
  CHECK(perch_.worker()["starts"] == kKills + 1);
  CHECK_FALSE(perch_.process().ending());
}

void check_nobody_was_refused(const StormCounts& counts) {
  CHECK(counts.served > 0);
  check_nobody_was_turned_away(counts);
}

}  // namespace perch::test
