// SPDX-License-Identifier: Apache-2.0
// The process of a command that stays, put in order before it does anything and at its end.
#pragma once

#include <sys/resource.h>

namespace perch::cli {

// A process started without 0, 1 and 2 would give their numbers to the next thing it opens.
void ensure_standard_descriptors();

// An exec that gains file capabilities makes /proc/self root's: neither this process nor a child
// could set its oom_score_adj.
void own_proc_self();

// To what is allowed: a handful of descriptors is held for each worker. Returns the limit of
// before, which is for those that are started.
rlimit raise_descriptor_limit();

// With PID 1 the kernel ends everything else anyway; this way it happens before our exit code is
// reported, and no process outlives the answer.
void end_everything_else();

}  // namespace perch::cli
