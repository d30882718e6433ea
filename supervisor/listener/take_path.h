// SPDX-License-Identifier: Apache-2.0
// Taking a path that has no live owner: binding where there is nothing, or replacing a stale
// socket. Either way the socket is complete (spare link, mode, owner, backlog) before a client can
// reach it, and a path that changed meanwhile is not an error: the answer is "look again", as
// nothing.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "supervisor/listener/claim.h"
#include "supervisor/listener/listener.h"
#include "supervisor/listener/obstacle.h"
#include "supervisor/listener/pinned_file.h"
#include "supervisor/listener/socket_directory.h"

namespace perch::listener {

// Where a claim works; it holds the path's lock.
struct ClaimSite {
  const SocketDirectory& directory;
  ino_t lock_inode;
  const ClaimRequest& request;
  Warnings& warnings;
  // Perch's own listener at this path, which the new one succeeds; its owner goes over to that.
  const PinnedFile* predecessor = nullptr;
};

struct TakenPath {
  UniqueFd socket;
  PinnedFile file;
  ClaimedAs claimed = ClaimedAs::Bound;
  std::string spare_problem;  // why there is no spare link; empty if there is one
};

Attempt<std::optional<TakenPath>> bind_free_path(const ClaimSite& site);
Attempt<std::optional<TakenPath>> replace_stale_socket(const ClaimSite& site,
                                                       const PinnedFile& stale);

// Removes what a perch that was killed in the middle of replace_stale_socket left behind: names
// only holders of this lock make, and only where nobody holds the socket.
void remove_left_over_names(const ClaimSite& site);

}  // namespace perch::listener
