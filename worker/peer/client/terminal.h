// SPDX-License-Identifier: Apache-2.0
// The terminal that a command writes to, where it is one.
#pragma once

#include <cstddef>
#include <optional>

namespace perch::peer {

inline constexpr std::size_t kUsualColumns = 80;

// How wide the terminal behind this descriptor is by now; nothing where it is none, or one that can
// only print. Never 0.
std::optional<std::size_t> columns_of(int fd);

}  // namespace perch::peer
