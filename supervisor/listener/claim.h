// SPDX-License-Identifier: Apache-2.0
// Claim: making a path ours at start, safely. A live owner's socket is never taken, a file that is
// not a socket is never deleted, a symlink at the path is never followed, a stale socket is
// exchanged atomically so that the path is never missing, and the socket has its rights before
// anybody can reach it. Needs /proc.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/value/error.h"
#include "supervisor/config/schema.h"
#include "supervisor/listener/listener.h"
#include "supervisor/listener/obstacle.h"

namespace perch::listener {

struct ClaimRequest {
  std::string path;            // or "@name" for an abstract socket, which has no mode and no owner
  std::optional<mode_t> mode;  // unset: 0777 less the umask
  std::optional<uid_t> uid;    // unset: perch's own
  std::optional<gid_t> gid;
  int backlog = 4096;
  config::OnExit on_exit = config::OnExit::Keep;
};

// Owned is worth another attempt; Refused ends in exit code 3.
using ClaimOutcome = std::variant<Listener, Owned, Refused>;

// What a claim wants said, though it succeeded: "no spare link: ...", "backlog capped ...".
using Warnings = std::vector<std::string>;

// One attempt; never waits. An Error is a refusal of the system (exit code 1); it names the path.
// A failed attempt leaves nothing but the lock file behind.
Result<ClaimOutcome> claim(const ClaimRequest& request, Warnings& warnings);

}  // namespace perch::listener
