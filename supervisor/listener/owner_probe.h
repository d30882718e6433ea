// SPDX-License-Identifier: Apache-2.0
// Does anybody hold this socket file? Asked by connecting a datagram socket to it: the kernel looks
// up the inode's socket first and its type second (unix_find_bsd), so a stale file answers
// ECONNREFUSED and a held one EPROTOTYPE, whether it listens, was shut down, or is only bound. It
// costs the owner no accept and waits for no backlog.
#pragma once

#include <string>

#include "supervisor/listener/pinned_file.h"

namespace perch::listener {

enum class Liveness {
  Stale,  // nobody holds it, on this machine
  Live,
  Unknown  // the kernel did not say (EACCES, most often): to be treated as live
};

struct Probe {
  Liveness liveness = Liveness::Unknown;
  int error = 0;  // errno of the connect
};

// Never blocks. `file` is a socket.
Probe probe_owner(const PinnedFile& file);

// The owner of the socket that was bound as `path` ('@' begins an abstract name), for messages: "a
// live socket (pid 17, dfdaemon)". Best effort: other namespaces and other users' processes leave
// it at "a live socket".
std::string describe_owner(const std::string& path);

}  // namespace perch::listener
