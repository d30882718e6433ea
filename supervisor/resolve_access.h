// SPDX-License-Identifier: Apache-2.0
// Who may ask at the control socket: the configuration's names as the system's ids.
#pragma once

#include "common/value/error.h"
#include "supervisor/config/schema.h"
#include "supervisor/control/access.h"

namespace perch {

// The error names the key whose user or group cannot be had.
Result<control::Access> resolve_access(const config::PerchConfig& config);

}  // namespace perch
