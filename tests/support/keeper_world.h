// SPDX-License-Identifier: Apache-2.0
// KeeperWorld: a directory with a perch and its keeper, either of which comes and goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/support/storm_check.h"
#include "tests/support/wait_until.h"

namespace perch::test {

class KeeperWorld {
 public:
  [[nodiscard]] std::string socket() const { return directory_.path("keep.sock"); }
  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }

  // Listening; `prefix` is a command that runs it.
  [[nodiscard]] std::unique_ptr<Process> keep(const std::vector<std::string>& options = {},
                                              const std::vector<std::string>& prefix = {}) const;
  [[nodiscard]] std::unique_ptr<PerchProcess> start(Surroundings around = {}) const;
  [[nodiscard]] std::unique_ptr<PerchProcess> start_without_keeper() const;
  // start(), until it is ready.
  [[nodiscard]] std::unique_ptr<PerchProcess> run(const Surroundings& around = {}) const;

  // How many listeners perch's keeper has; -1 without a connection.
  static int kept(const PerchProcess& perch);
  // The keeper has the listener.
  static void wait_kept(const PerchProcess& perch);
  static void kill(PerchProcess& perch);

  AppConfig app;
  std::string config{};  // another than that of `app`

 private:
  TemporaryDirectory directory_;
};

void wait_served(const ClientStorm& storm, std::uint64_t more);
// And there were some.
void check_all_were_served(const StormCounts& counts);

}  // namespace perch::test
