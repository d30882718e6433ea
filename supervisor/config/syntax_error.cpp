// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/syntax_error.h"

#include <array>
#include <charconv>
#include <optional>

#include "common/value/text.h"
#include "supervisor/config/units.h"

namespace perch::config {
namespace {

// What people make wrong most, in words that say what to do.
struct Plain {
  std::string_view theirs;
  std::string_view ours;
};

constexpr auto kPlain = std::to_array<Plain>({
    {"invalid line format",
     "unexpected text after the value; strings, durations, sizes and modes "
     "are written in quotes"},
    {"bad integer: leading zero", "a number cannot begin with 0; write a mode in quotes: \"0660\""},
    {"unknown value appeared", "not a value; strings, durations and sizes are written in quotes"},
    {"the next token is not a boolean", "not a value; write true, false, or a string in quotes"},
    {"missing value after key-value separator", "the value after '=' is missing"},
    {"missing key-value separator", "'=' and a value are missing after the key"},
    {"the next token is not a valid string", "the string is not closed, or has an unknown escape"},
    {"the next token is not a valid literal", "the string is not closed"},
    {"missing array separator", "',' or ']' is missing in the array"},
    {"array did not finish", "']' is missing at the end of the array"},
    {"missing curly brace", "'}' is missing at the end of the inline table"},
    {"an invalid key appeared", "not a key = value line, nor a [table] header"},
    {"empty key is not allowed", "the key before '=' is missing"},
    {"invalid format for key", "a key with other characters than A-Z a-z 0-9 _ - needs quotes"},
});

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

// " 12 | text" is line 12; "    | ^--- here" has no number.
std::optional<std::size_t> line_number(std::string_view before_bar) {
  const std::size_t begin = before_bar.find_first_not_of(' ');
  if (begin == std::string_view::npos) return std::nullopt;
  std::size_t number = 0;
  const auto [end, error] =
      std::from_chars(before_bar.data() + begin, before_bar.data() + before_bar.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

Position last_underlined(std::string_view message, Position fallback) {
  Position found = fallback;
  std::size_t line = fallback.line;
  while (!message.empty()) {
    const std::string_view shown = take_line(message);
    const std::size_t bar = shown.find(" | ");
    if (bar == std::string_view::npos) continue;
    if (const auto number = line_number(shown.substr(0, bar))) {
      line = *number;
      continue;
    }
    const std::size_t underline = shown.find_first_of("^~", bar);
    if (underline != std::string_view::npos) found = {line, underline - bar - 2};
  }
  return found;
}

// 'value ("app") already exists': the name.
std::optional<std::string_view> defined_twice(std::string_view message) {
  const std::size_t begin = message.find("(\"");
  const std::size_t end = message.find("\")");
  if (!message.contains("already exists") || begin > end) return std::nullopt;
  return message.substr(begin + 2, end - begin - 2);
}

std::string reason(std::string_view message) {
  if (const auto name = defined_twice(message)) {
    return in_quotes(*name) + " is defined twice; keep one, or rename one";
  }
  for (const auto& [theirs, ours] : kPlain) {
    if (message.contains(theirs)) return std::string(ours);
  }
  // "[error] toml::parse_key: what is wrong."
  std::string_view first = take_line(message);
  if (const std::size_t tag = first.find("] "); first.starts_with('['))
    first.remove_prefix(tag + 2);
  if (first.starts_with("toml::")) first.remove_prefix(std::min(first.find(' ') + 1, first.size()));
  return "not TOML: " + printable(first);
}

}  // namespace

Unreadable boiled_down(std::string_view message, Position fallback) {
  return {last_underlined(message, fallback), reason(message)};
}

}  // namespace perch::config
