// SPDX-License-Identifier: Apache-2.0
// `perch status`: what a running perch knows of itself, as a table for people or, with --json, as
// the document scripts rely on.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

// The exit code.
int status_command(const StatusOptions& options);

}  // namespace perch::cli
