// SPDX-License-Identifier: Apache-2.0
// `perch events`: what has happened to a running perch, one event a line; with --follow also what
// happens from now on, until perch or the reader is gone.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

// The exit code.
int events_command(const EventsOptions& options);

}  // namespace perch::cli
