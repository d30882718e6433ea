// SPDX-License-Identifier: Apache-2.0
// Claim: making a path ours at start, safely. A live owner's socket is never taken, a file that is
// not a socket is never deleted, a symlink at the path is never followed, a stale socket is
// exchanged atomically so that the path is never missing, and the socket has its rights before
// anybody can reach it.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "common/value/error.h"
#include "supervisor/config/schema.h"
#include "supervisor/listener/listener.h"

namespace perch::listener {

// Somebody holds the path: worth waiting for.
struct Owned {
  std::string by;  // for people: "a live socket (pid 17, dfdaemon)", "another perch (pid 4)"
};
// The path can never be ours as things are: no waiting helps. One whole line for people, with the
// remedy: exit code 3.
struct Refused {
  std::string why;
};

using ClaimOutcome = std::variant<Listener, Owned, Refused>;

// What a claim wants said, though it succeeded: "no spare link: ...", "backlog capped ...".
using Warnings = std::vector<std::string>;

// One attempt; never waits. An Error is a refusal of the system (exit code 1).
Result<ClaimOutcome> claim(const config::ListenerConfig& wanted, Warnings& warnings);

}  // namespace perch::listener
