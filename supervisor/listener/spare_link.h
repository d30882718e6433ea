// SPDX-License-Identifier: Apache-2.0
// The spare link: a second, hidden name of a claimed socket, `.<name>.perch`, from which the path
// is healed with the same inode when somebody removes it. To be made before the socket is given to
// another user: afterwards link(2) needs CAP_FOWNER (fs.protected_hardlinks).
#pragma once

#include <expected>
#include <string>

#include "supervisor/listener/made_name.h"
#include "supervisor/listener/pinned_file.h"
#include "supervisor/listener/socket_directory.h"

namespace perch::listener {

// One that is there already will do. A stale one of an earlier perch is replaced; anything else of
// that name is left alone. The error says for people why there is none; the listener works without
// it. Under the path's lock.
std::expected<MadeName, std::string> make_spare_link(const SocketDirectory& directory,
                                                     const PinnedFile& socket);

}  // namespace perch::listener
