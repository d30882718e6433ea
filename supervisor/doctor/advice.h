// SPDX-License-Identifier: Apache-2.0
// Advice: from a daemon's habits, what to tell its owner: what would go wrong after a kill without
// perch, which hand-over fits and why, and a configuration to begin with. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supervisor/config/schema.h"
#include "supervisor/doctor/habits.h"

namespace perch::doctor {

// What else is known of the run.
struct Patient {
  std::vector<std::string> command;
  bool knows_listen_fds = false;  // its program has that name in it
  bool had_capabilities = false;  // it was run with some
};

struct Advice {
  std::vector<std::string> findings;  // lines for people
  // What to run it with; nothing where it was seen listening on no Unix socket.
  std::optional<config::Config> config;
  std::vector<std::string> reasons;  // why so, a line each
};

Advice advise(const Habits& habits, const Patient& patient);

}  // namespace perch::doctor
