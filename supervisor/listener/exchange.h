// SPDX-License-Identifier: Apache-2.0
// Exchange: putting a prepared socket in the place of a stale one, in one step, so that the path is
// never missing; then looking at what came out. Where another than the stale socket comes out, a
// daemon has bound the path in the meantime: it gets its name back. Nothing alive is ever unlinked.
#pragma once

#include <string>

#include "supervisor/listener/claim.h"
#include "supervisor/listener/obstacle.h"
#include "supervisor/listener/pinned_file.h"
#include "supervisor/listener/socket_directory.h"

namespace perch::listener {

enum class Exchange {
  InPlace,  // ours is at the path, the stale one is gone
  Changed   // the path is no longer what was probed: look again
};

// The stale socket's. Ours: perch itself has it open, so it looks alive and is not asked.
enum class Whose { Nobodys, Ours };

// `ours` has the name `temporary` in the directory. Under the path's lock. Refused: the stale
// socket cannot be moved (another user's, in a sticky directory).
Attempt<Exchange> exchange_for_stale(const SocketDirectory& directory, const std::string& temporary,
                                     FileId ours, const PinnedFile& stale, Warnings& warnings,
                                     Whose whose = Whose::Nobodys);

}  // namespace perch::listener
