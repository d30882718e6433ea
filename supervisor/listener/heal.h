// SPDX-License-Identifier: Apache-2.0
// The single steps that put a listener's path right, each atomic, none of which removes anything
// that is alive or is no socket. LookAgain: somebody came between, and what was seen is no longer
// so. An error is for people. All under the path's lock.
#pragma once

#include <expected>
#include <string>

#include "common/value/error.h"
#include "supervisor/listener/claim.h"
#include "supervisor/listener/listener.h"
#include "supervisor/listener/pinned_file.h"

namespace perch::listener {

enum class Step { Done, LookAgain };

// Our inode gets its path again, where nothing stands.
Result<Step> link_back(const Listener& listener);

// Our inode takes the place of a dead socket, which is removed; the path is never missing.
Result<Step> exchange_back(const Listener& listener, const PinnedFile& dead, Warnings& warnings);

// What is no socket goes aside to a name of its own, which is returned: "api.sock.displaced-1".
// Empty: look again.
Result<std::string> displace(const Listener& listener, const PinnedFile& other);

// Otherwise the listener is no longer healable, and the error says why.
Result<void> restore_spare(Listener& listener);

}  // namespace perch::listener
