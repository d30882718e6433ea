// SPDX-License-Identifier: Apache-2.0
// `perch ready`: exit code 0 when all required workers are ready, 5 when some are not, 6 when no
// perch answers. Made for exec probes.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

// The exit code.
int ready_command(const ReadyOptions& options);

}  // namespace perch::cli
