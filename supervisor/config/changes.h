// SPDX-License-Identifier: Apache-2.0
// Changes: what a reload would do, told to people before it is done. Keys are compared as a file
// has them (render), so none can be forgotten. The values of environment variables are never shown:
// they may be secrets. Pure.
#pragma once

#include <string>
#include <vector>

#include "supervisor/config/diff.h"
#include "supervisor/config/render.h"
#include "supervisor/config/schema.h"

namespace perch::config {

// "stop_timeout: "25s" -> "3s"", "environment."TOKEN": changed": one line a key that differs.
std::vector<std::string> changed_keys(const Settings& running, const Settings& wanted);

// `diff` is of these two. One line for each listener and worker, and for perch itself, below it an
// indented one for each key that differs. Empty: a reload would change nothing.
std::vector<std::string> describe(const Diff& diff, const Config& running, const Config& wanted);

}  // namespace perch::config
