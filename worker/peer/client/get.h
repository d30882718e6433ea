// SPDX-License-Identifier: Apache-2.0
// perch-peer get: downloads through a peer. The call is made again, with a growing delay, when the
// stream breaks, as it does when the peer is killed: pieces that came before are kept. The file is
// written under a temporary name and renamed when it is whole and its digest is right.
#pragma once

#include <chrono>
#include <string>

namespace perch::peer {

struct GetOptions {
  std::string url;
  std::string output;
  std::string socket;
  std::string digest;  // empty: none
  std::chrono::seconds::rep timeout_seconds = 300;
};

// Also in --help, and in the README's table.
enum class GetExit : int {
  Done = 0,
  LocalFile = 1,  // the output cannot be written
  Usage = 2,
  Refused = 3,  // by the peer or the origin
  TimedOut = 4,
  WrongDigest = 5,
};

// Says on stderr what goes wrong, in one line.
GetExit get(const GetOptions& options);

}  // namespace perch::peer
