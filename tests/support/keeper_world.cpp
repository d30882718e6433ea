// SPDX-License-Identifier: Apache-2.0
#include "tests/support/keeper_world.h"

#include <doctest/doctest.h>
#include <signal.h>

namespace perch::test {

std::unique_ptr<Process> KeeperWorld::keep(const std::vector<std::string>& options,
                                           const std::vector<std::string>& prefix) const {
  std::vector<std::string> argv = prefix;
  argv.insert(argv.end(), {perch_binary(), "keep", "--socket", socket()});
  argv.insert(argv.end(), options.begin(), options.end());
  auto keeper = std::make_unique<Process>(Command{.argv = argv});
  REQUIRE(wait_until([&] { return keeper->err().contains("keeps sockets at"); }));
  return keeper;
}

std::unique_ptr<PerchProcess> KeeperWorld::start(Surroundings around) const {
  around.arguments = {"--keeper", socket()};
  return std::make_unique<PerchProcess>(
      directory_, config.empty() ? app_config(directory_, app) : config, around);
}

std::unique_ptr<PerchProcess> KeeperWorld::start_without_keeper() const {
  return std::make_unique<PerchProcess>(directory_, app_config(directory_, app));
}

std::unique_ptr<PerchProcess> KeeperWorld::run(const Surroundings& around) const {
  auto perch = start(around);
  REQUIRE(perch->wait_ready());
  return perch;
}

int KeeperWorld::kept(const PerchProcess& perch) {
  const auto status = perch.status();
  if (!status.contains("perch") || !status["perch"]["keeper"].is_object()) return -1;
  const auto& keeper = status["perch"]["keeper"];
  return keeper["connected"] == true ? keeper["listeners"].get<int>() : -1;
}

void KeeperWorld::wait_kept(const PerchProcess& perch) {
  REQUIRE(wait_until([&] { return kept(perch) == 1; }));
}

void KeeperWorld::kill(PerchProcess& perch) {
  perch.process().signal(SIGKILL);
  REQUIRE(perch.process().wait() == killed_by(SIGKILL));
}

void wait_served(const ClientStorm& storm, std::uint64_t more) {
  const auto wanted = storm.served() + more;
  REQUIRE(wait_until([&] { return storm.served() >= wanted; }));
}

void check_all_were_served(const StormCounts& counts) {
  CHECK(counts.served > 0);
  check_nobody_was_turned_away(counts);
}

}  // namespace perch::test
