// SPDX-License-Identifier: Apache-2.0
// Nearest: what somebody probably meant to write. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace perch::config {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
std::size_t edit_distance(std::string_view one, std::string_view other);

// The closest of `known`, the first of equals; nothing if no word is close.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known);

// 'did you mean "command"?', or, where nothing is close, "known are: a, b".
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace perch::config
