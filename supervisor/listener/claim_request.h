// SPDX-License-Identifier: Apache-2.0
// ClaimRequest: what somebody wants of a listener: the path, the rights of its socket, and what
// becomes of it. A claim begins with it; the listener keeps it, as reloads change it, and is healed
// or claimed anew by it.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "supervisor/config/schema.h"

namespace perch::listener {

struct ClaimRequest {
  std::string path;            // or "@name" for an abstract socket, which has no mode and no owner
  std::optional<mode_t> mode;  // unset: 0777 less the umask, and later chmods stand
  std::optional<uid_t> uid;    // unset: perch's own
  std::optional<gid_t> gid;
  int backlog = 4096;
  config::OnExit on_exit = config::OnExit::Keep;
  config::PeerCredentials peercred = config::PeerCredentials::Perch;
  int socket_type = SOCK_STREAM;
};

}  // namespace perch::listener
