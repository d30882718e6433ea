// SPDX-License-Identifier: Apache-2.0
// `perch run`: the process as it was started is put in order (descriptors, limits), the
// configuration is loaded, and the Supervisor runs until it is stopped.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

int run_command(const RunOptions& options);

}  // namespace perch::cli
