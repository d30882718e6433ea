// SPDX-License-Identifier: Apache-2.0
// What no section can check alone: names that must exist elsewhere, paths that must differ, values
// that must fit each other. Pure: whether paths, users and programs exist is not asked.
#pragma once

#include "supervisor/config/report.h"
#include "supervisor/config/schema.h"

namespace perch::config {

// Stays silent about what could not be read, which the report already mentions.
void validate(const Config& config, Report& report);

}  // namespace perch::config
