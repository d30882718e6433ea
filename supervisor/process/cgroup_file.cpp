// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/cgroup_file.h"

#include <charconv>
#include <ranges>

#include "common/posix/file.h"

namespace perch::process {

std::optional<std::uint64_t> plain_number(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc() || stop != text.end()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
  for (const auto part : std::views::split(text, '\n')) {
    const std::string_view line(part);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') {
      return plain_number(line.substr(key.size() + 1));
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_in_file(const std::string& path) {
  const auto text = read_file(path);
  return text ? plain_number(*text) : std::nullopt;
}

}  // namespace perch::process
