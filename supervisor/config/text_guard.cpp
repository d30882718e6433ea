// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/text_guard.h"

#include <fmt/format.h>

#include <algorithm>

namespace perch::config {
namespace {

Position position_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return {.line = 1 + static_cast<std::size_t>(std::ranges::count(before, '\n')),
          .column = 1 + offset - line_begin};
}

bool continues(std::string_view text, std::size_t offset) {
  return offset < text.size() && (static_cast<unsigned char>(text[offset]) & 0xC0U) == 0x80U;
}

// Bytes of the UTF-8 character at `offset` (RFC 3629): 0 if there is none, as for overlong forms,
// surrogates and what lies above U+10FFFF.
std::size_t character_length(std::string_view text, std::size_t offset) {
  const auto first = static_cast<unsigned char>(text[offset]);
  if (first < 0x80U) return 1;
  if (first < 0xC2U || first > 0xF4U) return 0;
  const std::size_t length = first < 0xE0U ? 2 : first < 0xF0U ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues(text, offset + i)) return 0;
  }
  const auto second = static_cast<unsigned char>(text[offset + 1]);
  const bool overlong = (first == 0xE0U && second < 0xA0U) || (first == 0xF0U && second < 0x90U);
  const bool surrogate = first == 0xEDU && second >= 0xA0U;
  const bool beyond = first == 0xF4U && second >= 0x90U;
  return overlong || surrogate || beyond ? 0 : length;
}

bool is_forbidden_control(char c) {
  return (c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == '\x7f';
}

std::optional<Unreadable> find_bad_byte(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text, at);
    if (length == 0) {
      return Unreadable{position_of(text, at), "not UTF-8; save the file as UTF-8 text"};
    }
    if (is_forbidden_control(text[at])) {
      return Unreadable{position_of(text, at),
                        fmt::format("control character 0x{:02x}; remove it", text[at])};
    }
    at += length;
  }
  return std::nullopt;
}

std::optional<Unreadable> find_long_line(std::string_view text) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end - begin > kLongestLine) {
      return Unreadable{position_of(text, begin),
                        fmt::format("a line of {} bytes, {} at most", end - begin, kLongestLine)};
    }
    begin = end + 1;
  }
  return std::nullopt;
}

// Past the string that opens at `at`, or just past its quote where it is not closed.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string_view triple = text.substr(at, 3);
  const bool multi_line = triple == "\"\"\"" || triple == "'''";
  const std::string_view closing = multi_line ? triple : triple.substr(0, 1);
  for (std::size_t i = at + closing.size(); i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text.substr(i).starts_with(closing)) {
      // Up to two quotes may stand before the closing three.
      const std::size_t end = text.find_first_not_of(quote, i + closing.size());
      return multi_line ? std::min(end, text.size()) : i + closing.size();
    } else if (text[i] == '\n' && !multi_line) {
      return i;
    }
  }
  return text.size();
}

// Brackets and dotted keys nest; neither counts inside strings and comments.
std::optional<Unreadable> find_deep_nesting(std::string_view text) {
  std::size_t brackets = 0;
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '[' || c == '{') ++brackets;
    if ((c == ']' || c == '}') && brackets > 0) --brackets;
    if (c == '\n' || c == '=' || c == ',') dots = 0;
    if (c == '.') ++dots;
    if (brackets + dots > kDeepestNesting) {
      return Unreadable{position_of(text, at),
                        fmt::format("nested deeper than {} levels", kDeepestNesting)};
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Unreadable> find_unreadable(std::string_view text) {
  if (text.size() > kLongestText) return Unreadable{{}, "larger than 1 MiB"};
  if (auto found = find_bad_byte(text)) return found;
  if (auto found = find_long_line(text)) return found;
  return find_deep_nesting(text);
}

}  // namespace perch::config
