// SPDX-License-Identifier: Apache-2.0
// Help: the texts of `perch --help`, for people. The options list themselves; what perch is for,
// the examples and the exit codes are here.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace perch::cli {

inline constexpr auto kRunHelp = "own the sockets and keep the workers running";
inline constexpr auto kCheckHelp = "validate, and print what would run with every default";
inline constexpr auto kStatusHelp = "what a running perch knows of its workers and listeners";
inline constexpr auto kReloadHelp = "read the configuration again and apply what changed";
inline constexpr auto kReadyHelp = "exit 0 if every required worker is ready (for exec probes)";
inline constexpr auto kVersionHelp = "print the version";

// Of one command, or of perch itself where `command` is empty.
std::string help_text(const CLI::App& app, const std::string& command);

}  // namespace perch::cli
