// SPDX-License-Identifier: Apache-2.0
// `perch check`: validates what `perch run` would be given, and prints what would run as a complete
// configuration file, or, with --diff, what a reload of the running perch would change. Problems,
// and warnings of what is legal but seldom meant, go to stderr. Starts nothing and touches no path.
#pragma once

#include <string>

#include "supervisor/cli/options.h"
#include "supervisor/exit_code.h"

namespace perch::cli {

struct CheckAnswer {
  ExitCode code;      // Stopped: valid, whether or not it would change something
  std::string out;    // for stdout, whole lines
  std::string error;  // for stderr, whole lines
};

CheckAnswer check(const CheckOptions& options);

// The exit code, the answer printed.
int check_command(const CheckOptions& options);

}  // namespace perch::cli
