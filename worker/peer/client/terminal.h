// SPDX-License-Identifier: Apache-2.0
// The terminal that a command writes to, where it is one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace perch::peer {

inline constexpr std::size_t kUsualColumns = 80;

// How wide the terminal behind this descriptor is by now; nothing where it is none, or one that can
// only print. Never 0.
std::optional<std::size_t> columns_of(int fd);

// On stderr. Never throws nor fails: a reader that went away ends no command.
void say(const std::string& text);

}  // namespace perch::peer
