// SPDX-License-Identifier: Apache-2.0
// Revive: a listener that an earlier perch had claimed, taken up from its descriptors. They were
// kept by somebody while no perch lived: the socket still listens, its clients wait in the backlog,
// and the lock was never free. Nothing is bound; the inode is the same. What somebody did to the
// path meanwhile is the guardian's to put right, unless a live owner stands there.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "common/value/unique_fd.h"
#include "supervisor/listener/claim_request.h"
#include "supervisor/listener/listener.h"

namespace perch::listener {

// What there is to keep of a listener: for abstract names the socket alone.
struct KeptListener {
  UniqueFd socket;
  UniqueFd file;  // O_PATH: the socket file
  UniqueFd lock;
};

// Lent: what KeptListener is made of, in its order.
std::vector<int> descriptors_to_keep(const Listener& listener);

// Stale: it is of no use to anybody any more, and its lock is free for a claim, also where copies
// of these descriptors are kept. Elsewhere: its lock is not the one beside the path, and keeps
// nobody from it; either that was removed, or a perch had it for which the same path leads to
// another directory. CannotTell: the system does not let us look; whoever has copies is to keep
// them, for the lock is held by them as before.
struct NotRevived {
  enum class Kind { Stale, Elsewhere, CannotTell } kind;
  std::string why;  // for people
};

// The listener has the rights it had, not yet those of `request`.
std::expected<Listener, NotRevived> revive(KeptListener kept, const ClaimRequest& request);

}  // namespace perch::listener
