// SPDX-License-Identifier: Apache-2.0
// Parts of the status document that events carry too; for this folder alone, since it needs the
// JSON library.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "supervisor/control/status.h"

namespace perch::control {

nlohmann::ordered_json death_json(const DeathRecord& death);

}  // namespace perch::control
