// SPDX-License-Identifier: Apache-2.0
// What to do about a spawn that failed: the end of the line that tells of it. It looks at the
// program as it is now, since one errno stands for many mistakes: "Permission denied" is a
// directory, a missing x bit, a mount without exec, or a user without rights.
#pragma once

#include <string>

#include "supervisor/process/spawn.h"

namespace perch::process {

// One clause, such as "make it executable: chmod +x /srv/app"; empty where nothing is known to
// help.
std::string spawn_remedy(const SpawnFailure& failure);

}  // namespace perch::process
