// SPDX-License-Identifier: Apache-2.0
// `perch keep`: the process as it was started is put in order and made hard to kill, and the Keeper
// runs until it is stopped, or until the command that it runs has ended.
#pragma once

#include "supervisor/cli/options.h"

namespace perch::cli {

int keep_command(const KeepOptions& options);

}  // namespace perch::cli
