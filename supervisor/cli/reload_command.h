// SPDX-License-Identifier: Apache-2.0
// `perch reload`: has a running perch load its configuration again. Exit code 1 and the reason when
// it is refused; nothing has changed then.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

// The exit code.
int reload_command(const ReloadOptions& options);

}  // namespace perch::cli
