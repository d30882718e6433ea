// SPDX-License-Identifier: Apache-2.0
// The rules for names and paths that the user chooses. Pure: nothing is looked up. Empty means that
// all is well; else it is the reason and the remedy, for people.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/config/units.h"

namespace perch::config {

// Of workers and listeners: LISTEN_FDNAMES is split at ':', and metrics and status carry them too.
std::string problem_with_name(std::string_view name);
// Of environment variables: those that perch sets itself are refused.
std::string problem_with_variable(std::string_view name);

// Where a listener may be: absolute or "@name", and short enough for a socket.
Parsed<std::string> parse_socket_path(std::string_view text);
// The control socket's: the same, or "none", which is the empty path.
Parsed<std::string> parse_control_path(std::string_view text);
// The keeper's: the same, or empty, which is "none" as well.
Parsed<std::string> parse_keeper_path(std::string_view text);
// Absolute, or empty.
Parsed<std::string> parse_directory(std::string_view text);
// A user's or group's name or number, or empty.
Parsed<std::string> parse_account(std::string_view text);
// "user:NAME" or "group:NAME".
Parsed<std::string> parse_access_rule(std::string_view text);

inline constexpr Unit<std::string> kSocketPath{"a path such as \"/run/app/api.sock\"",
                                               parse_socket_path};
inline constexpr Unit<std::string> kControlPath{"a path such as \"/run/perch/control.sock\"",
                                                parse_control_path};
inline constexpr Unit<std::string> kKeeperPath{"a path such as \"/run/perch/keep.sock\"",
                                               parse_keeper_path};
inline constexpr Unit<std::string> kDirectory{"a path such as \"/srv/app\"", parse_directory};
inline constexpr Unit<std::string> kAccount{"a name, or a number in quotes", parse_account};
inline constexpr Unit<std::string> kAccessRule{"\"user:NAME\" or \"group:NAME\"",
                                               parse_access_rule};

// `text` with every character that no name may have replaced, cut to a name's length; `otherwise`
// where nothing is left.
std::string made_name(std::string_view text, std::string_view otherwise);
// For the listener at this path, where nobody has named it: "api" for "/run/app/api.sock".
std::string name_of_listener(std::string_view path);
// What follows the last '/'.
std::string_view basename_of(std::string_view path);

}  // namespace perch::config
