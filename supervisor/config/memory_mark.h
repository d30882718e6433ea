// SPDX-License-Identifier: Apache-2.0
// MemoryMark: from where on a worker's memory is too much, as a share of the limit it has or as a
// size. Pure. What cannot be read is answered with the reason and the remedy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "supervisor/config/units.h"

namespace perch::config {

struct Percent {
  unsigned value = 0;  // 1 to 100
  bool operator==(const Percent&) const = default;
};

using MemoryMark = std::variant<Percent, std::uint64_t>;

// "90%" or "460MiB".
Parsed<MemoryMark> parse_memory_mark(std::string_view text);
std::string memory_mark_text(const MemoryMark& mark);

// In bytes; nothing where it is a share and nobody knows of what.
std::optional<std::uint64_t> bytes_of(const MemoryMark& mark, std::optional<std::uint64_t> limit);

inline constexpr Unit<MemoryMark> kMemoryMark{"a share or a size such as \"90%\"",
                                              parse_memory_mark};

}  // namespace perch::config
