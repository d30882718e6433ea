// SPDX-License-Identifier: Apache-2.0
// TwoWorkers: a perch with the workers "one" and "two", each with a memory limit of its own, and
// what the tests of several workers' memory do with them.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>

#include "tests/support/perch_process.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {

class TwoWorkers {
 public:
  // `memory` are more lines for each [workers.X.memory].
  explicit TwoWorkers(const std::string& memory, const Surroundings& surroundings = {});

  [[nodiscard]] PerchProcess& perch() noexcept { return perch_; }
  [[nodiscard]] std::string socket(const std::string& worker) const {
    return directory_.path(worker);
  }
  // The worker takes memory until it is killed; the record of its death.
  nlohmann::json oom_kill(const std::string& worker);
  // The configuration with other lines, for a reload.
  void write_config(const std::string& memory) const;

 private:
  [[nodiscard]] std::string config(const std::string& memory) const;
  TemporaryDirectory directory_;
  PerchProcess perch_;
  std::map<std::string, std::uint64_t> last_;
};

// Interleaved: each death is its own worker's, and nothing of it is booked to the other.
void check_attribution(TwoWorkers& workers, int kills_of_each);

}  // namespace perch::test
