// SPDX-License-Identifier: Apache-2.0
// `perch doctor`: what does a daemon do with its sockets, and how is it run under perch? What is
// written to stdout is a configuration with comments, whole enough to start from; what the daemon
// writes goes to stderr.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

int doctor_command(const DoctorOptions& options);

}  // namespace perch::cli
