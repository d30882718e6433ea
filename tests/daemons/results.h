// SPDX-License-Identifier: Apache-2.0
// Results: what the daemons' tests saw, as one Markdown table. It is printed when the last test has
// ended, and written to the file that PERCH_DAEMON_RESULTS names.
#pragma once

#include <optional>
#include <string>

#include "tests/support/client_storm.h"

namespace perch::test {

struct Outcome {
  unsigned kills = 0;
  StormCounts counts{};
};

struct Result {
  std::string daemon;
  std::string version;
  Outcome with_perch{};
  std::string reload{};  // by which signal, if it has one
  std::optional<Outcome> alone{};
};

void add_result(const Result& result);

}  // namespace perch::test
