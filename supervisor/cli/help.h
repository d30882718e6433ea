// SPDX-License-Identifier: Apache-2.0
// Help: the texts of `perch --help`, for people. Commands and options are listed from their tables;
// what perch is for, the examples and the exit codes are added here.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace perch::cli {

// Of one command, or of perch itself where `command` is empty.
std::string help_text(const CLI::App& app, const std::string& command);

}  // namespace perch::cli
