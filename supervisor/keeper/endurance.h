// SPDX-License-Identifier: Apache-2.0
// Endurance: what a keeper does so that no shortage of memory ends it or makes it wait: the lowest
// oom_score_adj that it may have, and what it has touched stays in memory. Whatever is refused is
// done without: a container's default capabilities allow neither.
#pragma once

namespace perch::keeper {

// Returns the oom_score_adj of before, for what the keeper starts.
int lower_own_oom_score();

// What is resident now and what will be touched, not the whole program. No child inherits it.
void stay_resident() noexcept;

}  // namespace perch::keeper
