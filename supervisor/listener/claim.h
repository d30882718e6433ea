// SPDX-License-Identifier: Apache-2.0
// Claim: making a path ours at start, safely. A live owner's socket is never taken, a file that is
// not a socket is never deleted, a symlink at the path is never followed, a stale socket is
// exchanged atomically so that the path is never missing, and the socket has its rights before
// anybody can reach it. Needs /proc.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "common/value/error.h"
#include "supervisor/listener/claim_request.h"
#include "supervisor/listener/listener.h"
#include "supervisor/listener/obstacle.h"

namespace perch::listener {

// Owned is worth another attempt; Refused ends in exit code 3.
using ClaimOutcome = std::variant<Listener, Owned, Refused>;

// What a claim wants said, though it succeeded: "no spare link: ...", "backlog capped ...".
using Warnings = std::vector<std::string>;

// One attempt; never waits. An Error is a refusal of the system (exit code 1); it names the path.
// A failed attempt leaves nothing but the lock file behind.
Result<ClaimOutcome> claim(const ClaimRequest& request, Warnings& warnings);

// The same for a socket that this program serves itself and cannot do without, in a directory whose
// last part is made where it is missing. `what` it is and what to do `otherwise` if somebody has
// the path are for people.
Result<Listener> claim_own(const ClaimRequest& request, const std::string& what,
                           const std::string& otherwise);

// The same as claim() for a path that perch holds, where the old socket is lost: shut down, or
// without a name. The new socket takes the old one's place in one step and has the mode and the
// owner that it had last. On success the old one has neither lock nor path; who has it can still
// accept who is queued.
Result<ClaimOutcome> claim_anew(Listener& old, Warnings& warnings);

}  // namespace perch::listener
