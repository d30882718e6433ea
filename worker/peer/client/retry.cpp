// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/retry.h"

#include <algorithm>
#include <cmath>

namespace perch::peer {

std::optional<ExitCode> verdict_of(grpc::StatusCode code) {
  using enum grpc::StatusCode;
  switch (code) {
    case OK:
      return ExitCode::Done;
    case UNAVAILABLE:         // the peer was killed, or drains
    case ABORTED:             // the file changed at the origin
    case RESOURCE_EXHAUSTED:  // too many clients, or no room on the peer's disk
      return std::nullopt;
    case DEADLINE_EXCEEDED:
      return ExitCode::TimedOut;
    case DATA_LOSS:
      return ExitCode::WrongDigest;
    default:
      return ExitCode::Refused;
  }
}

std::chrono::milliseconds Backoff::next(double chance) {
  const auto whole = delay_;
  delay_ = std::min(2 * delay_, kMost);
  const double share = 0.5 + chance / 2;
  return std::chrono::milliseconds(std::lround(static_cast<double>(whole.count()) * share));
}

}  // namespace perch::peer
