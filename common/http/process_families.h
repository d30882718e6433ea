// SPDX-License-Identifier: Apache-2.0
// What a process costs, as metrics of the names that Prometheus' client libraries give them.
#pragma once

#include <chrono>
#include <string_view>

#include "common/http/exposition.h"
#include "common/posix/process_figures.h"

namespace perch {

// Seconds since 1970, to the millisecond.
double unix_seconds(std::chrono::system_clock::time_point at);

// `who` is for the help texts: "perch".
void process_families(Exposition& out, std::string_view who, const ProcessFigures& own,
                      std::chrono::system_clock::time_point started_at);

}  // namespace perch
