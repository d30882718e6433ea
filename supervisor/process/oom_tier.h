// SPDX-License-Identifier: Apache-2.0
// Will perch survive an OOM kill of its worker? At start it takes the best protection that this
// container allows, and says in one line which, why, and what would give a better one:
//   a   each worker has a cgroup of its own with a limit below the container's: a kill takes the
//       worker
//   a0  memory.oom.group was 1 and could be set to 0: a kill takes one process, not the container
//   b   perch's own oom_score_adj is -1000: no kill takes perch, whatever memory.oom.group says
//   k   a kill takes perch as well, and a keeper holds its listeners until perch is back
//   c   a kill takes one process, and the worker's raised score makes it the likely one
//   d   a kill takes perch as well, or nobody can tell
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/value/error.h"
#include "supervisor/process/division.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

enum class OomTier { A, A0, B, K, C, D };

// "a", "a0"
std::string_view name(OomTier tier);

// memory.oom.group of the cgroup our memory is charged to.
enum class OomGroup {
  Absent,   // version 1, the root, or a kernel before 4.19: a kill takes one process
  Off,      // 0
  On,       // 1: a kill takes all of the cgroup but what has oom_score_adj -1000
  Unknown,  // no cgroup information
};

struct OomFacts {
  OomGroup group = OomGroup::Unknown;
  bool group_writable = false;
  bool may_lower_score = false;  // CAP_SYS_RESOURCE is effective
  int score_at_start = 0;        // perch's oom_score_adj, which its container's runtime set
  bool workers_apart = false;    // each has a memory cgroup of its own (Division)
  std::string not_apart{};       // why not, where that would be better
  bool has_keeper = false;       // one that survives what takes perch
};

struct OomPlan {
  OomFacts facts{};  // by which it was chosen
  OomTier tier = OomTier::D;
  std::string detail;            // for people
  bool clear_group = false;      // write 0 to memory.oom.group
  std::optional<int> own_score;  // write this to perch's oom_score_adj
  int worker_score = 0;          // to be written by every worker before its exec
};

// Pure. All of a, a0 and b is taken that is possible, and the tier names the best: clearing the
// group spares the other workers, and -1000 covers what it cannot: the group flag of a cgroup above
// ours, and a shortage of the whole host, in which the kernel looks for the best victim anywhere.
OomPlan choose_tier(const OomFacts& facts);

// What holds for this process, but for a keeper.
OomFacts gather_oom_facts(const MemoryGround& ground);

// Carries the plan out for this process. Where the kernel refuses a step that looked possible (a
// capability of a user namespace does not lower a score), chooses again without it.
OomPlan take_oom_protection(const MemoryCgroup& cgroup, OomFacts facts);

}  // namespace perch::process
