// SPDX-License-Identifier: Apache-2.0
// The options of perch, each in one row of a table: what it is called, which commands have it, and
// where its value goes. Help is generated from what is described here.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace perch::cli {

// Everything the options can set, whichever command they belong to, as it was written.
struct Values {
  std::optional<std::string> config, handover, policy, control, stop_timeout, log_format;
  std::vector<std::string> listen, user;
  std::optional<std::string> worker, watch, since, timeout, place, keeper, socket;
  bool all = false;
  bool diff = false;
  bool follow = false;
  bool intercept = false;
  bool json = false;
  bool no_wait = false;
  bool version = false;
};

// Of --watch, where it has no value of its own.
inline constexpr auto kEverySecond = "1";

// Adds every command and its options to `app`; parsing fills `values`.
void describe(CLI::App& app, Values& values);

}  // namespace perch::cli
