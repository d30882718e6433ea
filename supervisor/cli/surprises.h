// SPDX-License-Identifier: Apache-2.0
// Surprises: what is legal in a configuration and yet seldom meant. Looks at this machine as it is
// now (directories, programs, our own uid), so it warns and never refuses: the container that runs
// it may be another.
#pragma once

#include <string>
#include <vector>

#include "supervisor/config/schema.h"

namespace perch::cli {

// One line each, with the remedy.
std::vector<std::string> surprises(const config::Config& config);

}  // namespace perch::cli
