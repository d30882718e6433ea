// SPDX-License-Identifier: Apache-2.0
// Render: a configuration as a file that would give it again, with every default written out. Pure.
#pragma once

#include <string>

#include "supervisor/config/schema.h"

namespace perch::config {

std::string to_toml(const Config& config);

}  // namespace perch::config
