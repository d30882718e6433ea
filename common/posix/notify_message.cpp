// SPDX-License-Identifier: Apache-2.0
#include "common/posix/notify_message.h"

#include <algorithm>
#include <ranges>

namespace perch {
namespace {

constexpr std::size_t kMaxFields = 64;

}  // namespace

NotifyMessage::NotifyMessage(
    std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  for (const auto& [key, value] : fields) add(key, value);
}

NotifyMessage NotifyMessage::parse(std::string_view datagram) {
  NotifyMessage message;
  while (!datagram.empty() && message.fields_.size() < kMaxFields) {
    const std::size_t end = datagram.find('\n');
    const std::string_view line = datagram.substr(0, end);
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos && equals > 0) {
      message.add(line.substr(0, equals), line.substr(equals + 1));
    }
    datagram = end == std::string_view::npos ? std::string_view() : datagram.substr(end + 1);
  }
  return message;
}

void NotifyMessage::add(std::string_view key, std::string_view value) {
  auto& field = fields_.emplace_back(key, value);
  std::ranges::replace(field.second, '\n', ' ');
}

std::optional<std::string_view> NotifyMessage::get(std::string_view key) const {
  for (const auto& [name, value] : std::views::reverse(fields_)) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::string NotifyMessage::text() const {
  std::string text;
  for (const auto& [key, value] : fields_) {
    text.append(key).append("=").append(value).append("\n");
  }
  return text;
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  if (text.empty()) return names;
  for (std::size_t start = 0;;) {
    const std::size_t end = text.find(':', start);
    names.emplace_back(text.substr(start, end - start));
    if (end == std::string_view::npos) return names;
    start = end + 1;
  }
}

std::string join_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text.push_back(':');
    text.append(name);
  }
  return text;
}

}  // namespace perch
