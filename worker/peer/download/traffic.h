// SPDX-License-Identifier: Apache-2.0
// Traffic: what all downloads of this process have done so far. Counters only grow.
#pragma once

#include <cstdint>

namespace perch::peer {

struct Traffic {
  std::uint64_t downloads_started = 0;
  std::uint64_t downloads_finished = 0;
  std::uint64_t downloads_failed = 0;
  std::uint64_t origin_requests = 0;
  std::uint64_t origin_errors = 0;    // requests that did not bring what they asked for
  std::uint64_t origin_bytes = 0;     // of bodies, as they came
  std::uint64_t resumed_bytes = 0;    // that earlier lives had fetched and this one did not
  std::uint64_t refetched_bytes = 0;  // fetched and thrown away: changed, damaged or sent again
};

}  // namespace perch::peer
