// SPDX-License-Identifier: Apache-2.0
// Whether the limits of several workers' memory fit into their container together. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "supervisor/config/schema.h"

namespace perch::config {

// Empty: they do. Else a line for people: the container's own limit, where a kill is not that of
// the worker which needs too much, can be reached before any of theirs.
std::string problem_with_memory_sum(const Config& config, std::uint64_t container);

}  // namespace perch::config
