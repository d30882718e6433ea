// SPDX-License-Identifier: Apache-2.0
// What a text must be before the TOML parser sees it: the parser recurses once per nesting level,
// takes time that grows with the square of a line, and lets bytes through that are no UTF-8. A file
// that breaks these rules is a mistake (or an attack on a reload), and is refused. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace perch::config {

inline constexpr std::size_t kLongestText = 1U << 20U;
inline constexpr std::size_t kLongestLine = 1U << 16U;
inline constexpr std::size_t kDeepestNesting = 32;

// In a file, counted from 1; columns count bytes.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
  auto operator<=>(const Position&) const = default;
};

struct Unreadable {
  Position where;
  std::string why;
};

// The first reason not to parse `text`.
std::optional<Unreadable> find_unreadable(std::string_view text);

}  // namespace perch::config
