// SPDX-License-Identifier: Apache-2.0
// What the exit status of the client's commands means; also in --help, perch-peer(1) and the
// README. A command that is interrupted ends by the signal itself, as a shell expects.
#pragma once

#include <string>

#include "common/value/error.h"

namespace perch::peer {

enum class ExitCode : int {
  Done = 0,
  LocalFile = 1,  // the output cannot be written
  Usage = 2,
  Refused = 3,  // by the peer or the origin
  TimedOut = 4,
  WrongDigest = 5,
  NoSuchTask = 6,
};

// How a command ended, and why where it did not do what it was asked for.
struct Ending {
  ExitCode exit = ExitCode::Done;
  std::string reason{};
};

inline Ending local_trouble(const Error& error) { return {ExitCode::LocalFile, error.text()}; }

}  // namespace perch::peer
