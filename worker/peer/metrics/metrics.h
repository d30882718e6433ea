// SPDX-License-Identifier: Apache-2.0
// What a peer says of itself in figures: to Prometheus, and in a line to perch. Counters are of
// this process: they begin anew with the next one, as Prometheus expects. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "common/posix/process_figures.h"
#include "worker/peer/download/traffic.h"
#include "worker/peer/store/store.h"

namespace perch::peer {

struct PeerFigures {
  std::string version;
  Traffic traffic{};
  Census stored{};
  std::size_t calls = 0;    // in progress
  std::size_t clients = 0;  // connected
  ProcessFigures process{};
  std::chrono::system_clock::time_point started_at{};
};

std::string to_metrics(const PeerFigures& figures);

// "2 calls of 1 client; 3 downloads finished, 12.0 MiB from origins"; of what costs nothing to
// know.
std::string status_line(const PeerFigures& figures);

}  // namespace perch::peer
