// SPDX-License-Identifier: Apache-2.0
// perch-peer get: downloads through a peer. The call is made again, with a growing delay, when the
// stream breaks, as it does when the peer is killed: pieces that came before are kept. The file is
// at its path once it is whole and its digest is right, and not a moment earlier; nothing of it
// stays otherwise, also where the user interrupts.
#pragma once

#include <string>
#include <vector>

#include "worker/peer/client/connection.h"

namespace perch::peer {

struct GetOptions {
  std::string url{};
  std::string output{};  // empty: as the URL says; "-": stdout
  std::string digest{};  // empty: none
  std::string range{};   // "FIRST-LAST"; empty: all
  std::string tag{};
  std::vector<std::string> headers{};  // "NAME: VALUE"
  PeerAddress peer{.socket = {}, .timeout_seconds = 300};
  bool force = false;
  bool quiet = false;
  bool output_by_peer = false;
  bool hard_link = false;
};

// Says on stderr what goes wrong, in one line. Does not return when it was interrupted.
ExitCode get(const GetOptions& options);

}  // namespace perch::peer
