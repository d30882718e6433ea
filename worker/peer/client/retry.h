// SPDX-License-Identifier: Apache-2.0
// When a call is made again, and after how long. Pure: chance is given.
#pragma once

#include <grpcpp/support/status_code_enum.h>

#include <chrono>
#include <optional>

#include "worker/peer/client/exit_code.h"

namespace perch::peer {

// What a call that ended with this status means for its command; nothing: make it again.
std::optional<ExitCode> verdict_of(grpc::StatusCode code);

// Doubles from a tenth of a second to two, and takes half of that or a little more: clients that
// lost the same peer do not come back all at once.
class Backoff {
 public:
  // `chance` is in [0, 1).
  std::chrono::milliseconds next(double chance);
  // There was progress.
  void reset() { delay_ = kFirst; }

 private:
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kMost{2000};
  std::chrono::milliseconds delay_ = kFirst;
};

}  // namespace perch::peer
