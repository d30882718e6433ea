// SPDX-License-Identifier: Apache-2.0
// `perch check`: validates what `perch run` would be given, and prints what would run as a complete
// configuration file. Problems, and warnings of what is legal but seldom meant, go to the other
// stream. Starts nothing and touches no path.
#pragma once

#include <iosfwd>

#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/options.h"

namespace perch::cli {

// Stopped or Usage.
ExitCode check_command(const CheckOptions& options, std::ostream& out, std::ostream& error);

}  // namespace perch::cli
