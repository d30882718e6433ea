// SPDX-License-Identifier: Apache-2.0
// `perch restart`, `perch stop` and `perch start`: asks a running perch, tells what happens as it
// happens, and ends once it is clear whether the goal is reached.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

// The exit code.
int worker_command(const WorkerOptions& options);

}  // namespace perch::cli
