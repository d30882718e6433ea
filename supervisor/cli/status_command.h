// SPDX-License-Identifier: Apache-2.0
// `perch status`: what a running perch knows of itself, as a table for people, one worker in full,
// or, with --json, the document that scripts rely on. With --watch again and again: drawn in place
// on a terminal, one after another elsewhere.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

// The exit code.
int status_command(const StatusOptions& options);

}  // namespace perch::cli
