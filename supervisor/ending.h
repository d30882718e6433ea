// SPDX-License-Identifier: Apache-2.0
// How a `perch run` ends: its exit code and, where that is not 0, the one line that says why, for
// those who see neither log nor control socket.
#pragma once

#include <string>

#include "supervisor/config/schema.h"
#include "supervisor/exit_code.h"

namespace perch {

struct Ending {
  int code = 0;
  std::string why{};
};

// Beside a transparent wrapper's codes (policy "never") perch's own need one that is not the
// worker's: 125, whatever `code` is.
Ending own_failure(ExitCode code, std::string why, const config::Config& config);

}  // namespace perch
