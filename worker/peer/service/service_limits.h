// SPDX-License-Identifier: Apache-2.0
// ServiceLimits: what clients may take of the peer, so that they cannot make it grow without
// bounds.
#pragma once

#include <chrono>
#include <cstddef>

namespace perch::peer {

struct ServiceLimits {
  std::size_t clients = 128;              // connections at once
  std::size_t streams = 16;               // calls at once on one connection
  std::size_t calls = 128;                // DownloadTask calls at once, in all
  std::size_t other_calls = 128;          // about stored tasks, likewise
  std::size_t reply_bytes = 16U << 20U;   // of their answers that clients have not taken yet
  std::size_t queued_bytes = 24U << 20U;  // of gRPC's own: what was received, what waits to be sent
  // A connection without calls is closed after this time, and so is one that never becomes HTTP/2;
  // a call ends when its client takes no message for as long.
  std::chrono::seconds idle_timeout{300};
};

}  // namespace perch::peer
