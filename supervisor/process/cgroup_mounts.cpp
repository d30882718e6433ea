// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/cgroup_mounts.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ranges>

namespace perch::process {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, separator)) parts.emplace_back(part);
  return parts;
}

bool is_octal(char digit) { return digit >= '0' && digit <= '7'; }

// mountinfo writes space, tab, newline and backslash as a backslash and three octal digits.
std::string unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const bool escaped = text.size() >= 4 && text[0] == '\\' && text[1] <= '3' &&
                         std::ranges::all_of(text.substr(1, 3), is_octal);
    if (escaped) {
      plain += static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
    } else {
      plain += text[0];
    }
    text.remove_prefix(escaped ? 4 : 1);
  }
  return plain;
}

// "36 35 98:0 ROOT MOUNT-POINT OPTIONS [optional fields...] - TYPE SOURCE SUPER-OPTIONS"
std::optional<CgroupMount> parse_mount(std::string_view line) {
  constexpr std::ptrdiff_t kFirstOptional = 6;
  const auto fields = split(line, ' ');
  if (fields.size() < kFirstOptional) return std::nullopt;
  const auto dash = std::find(fields.begin() + kFirstOptional, fields.end(), "-");
  if (fields.end() - dash < 4) return std::nullopt;
  const std::string_view type = dash[1];
  if (type != "cgroup" && type != "cgroup2") return std::nullopt;
  return CgroupMount{.root = unescape(fields[3]),
                     .mount_point = unescape(fields[4]),
                     .unified = type == "cgroup2",
                     .options = dash[3]};
}

}  // namespace

bool lists(std::string_view list, std::string_view entry) {
  const auto entries = split(list, ',');
  return std::ranges::find(entries, entry) != entries.end();
}

std::vector<CgroupMembership> parse_cgroup_memberships(std::string_view text) {
  std::vector<CgroupMembership> memberships;
  for (const std::string_view line : split(text, '\n')) {
    // "ID:CONTROLLERS:PATH"; the path may have colons of its own.
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos || !line.substr(second + 1).starts_with('/')) continue;
    memberships.push_back({.controllers = line.substr(first + 1, second - first - 1),
                           .path = line.substr(second + 1)});
  }
  return memberships;
}

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view text) {
  std::vector<CgroupMount> mounts;
  for (const std::string_view line : split(text, '\n')) {
    if (auto mount = parse_mount(line)) mounts.push_back(*std::move(mount));
  }
  return mounts;
}

}  // namespace perch::process
