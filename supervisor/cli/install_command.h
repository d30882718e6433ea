// SPDX-License-Identifier: Apache-2.0
// `perch install PATH`: perch copies its own program, for an init container whose image has no
// shell and no cp, and which leaves it in a volume for the image that runs next. The copy appears
// whole or not at all, with mode 0755.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

int install_command(const InstallOptions& options);

}  // namespace perch::cli
