// SPDX-License-Identifier: Apache-2.0
// Which tasks go to make room: those unused for too long, then the longest unused until the others
// fit. One that is in use never goes, however much the store holds. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/peer/store/task_summary.h"

namespace perch::peer {

struct GcLimits {
  std::optional<std::uint64_t> max_bytes;           // of all tasks together, counted at full length
  std::optional<std::chrono::nanoseconds> max_age;  // since the last use
};

struct Candidate {
  std::string id;
  std::uint64_t bytes = 0;
  FileTime last_use = {};
  bool in_use = false;
};

// Longest unused first.
std::vector<Candidate> to_collect(std::vector<Candidate> tasks, const GcLimits& limits,
                                  FileTime now);

}  // namespace perch::peer
