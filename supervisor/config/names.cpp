// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/names.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>

#include "common/value/text.h"

namespace perch::config {
namespace {

constexpr std::size_t kLongestName = 64;
// sun_path without the NUL at its end; abstract names have their NUL in front.
constexpr std::size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;
// (uid_t)-1 stands for "no change", (uid_t)-2 is the last real one.
constexpr std::uint64_t kLastAccount = 0xFFFFFFFEU;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

template <class... Args>
std::unexpected<std::string> reject(fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace

std::string problem_with_name(std::string_view name) {
  if (!name.empty() && name.size() <= kLongestName &&
      std::ranges::all_of(name, is_name_character)) {
    return "";
  }
  return fmt::format("{} is not a name; use 1 to {} of A-Z a-z 0-9 _ . -", in_quotes(name),
                     kLongestName);
}

std::string problem_with_variable(std::string_view name) {
  if (name.empty()) return "a variable needs a name";
  if (name.contains('=') || name.contains('\0')) {
    return "a variable's name cannot hold '=' or NUL; rename it";
  }
  if (name.starts_with("PERCH_") || name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET") {
    return "perch sets this variable itself; remove it";
  }
  return "";
}

Parsed<std::string> parse_socket_path(std::string_view text) {
  if (text.empty() || text == "@") return reject("the path is empty; write an absolute one");
  if (!text.starts_with('/') && !text.starts_with('@')) {
    return reject("{} is a relative path; write an absolute one, or @name for an abstract socket",
                  in_quotes(text));
  }
  const std::string_view name = basename_of(text);
  if (name.empty() || name == "." || name == "..") {
    return reject("{} is a directory; add a file name", in_quotes(text));
  }
  // It is shown in logs, tables and messages of one line.
  if (printable(text) != text) {
    return reject("{} has a control character; write a path without", in_quotes(text));
  }
  if (text.size() > kLongestSocketPath) {
    return reject("{} bytes are too long for a socket's path; use {} at most", text.size(),
                  kLongestSocketPath);
  }
  return std::string(text);
}

Parsed<std::string> parse_control_path(std::string_view text) {
  if (text == "none") return std::string();
  // An abstract socket has no access rights.
  if (!text.starts_with('/')) {
    return reject("{} is not an absolute path; write one, or \"none\"", in_quotes(text));
  }
  return parse_socket_path(text);
}

Parsed<std::string> parse_keeper_path(std::string_view text) {
  if (text.empty()) return std::string();
  return parse_control_path(text);
}

Parsed<std::string> parse_directory(std::string_view text) {
  if (text.empty() || text.starts_with('/')) return std::string(text);
  return reject("{} is a relative path; write an absolute one", in_quotes(text));
}

Parsed<std::string> parse_account(std::string_view text) {
  const auto number = parse_count(text);
  const bool all_digits = text.find_first_not_of("0123456789") == std::string_view::npos;
  if (text.empty() || (number && *number <= kLastAccount)) return std::string(text);
  if (all_digits) return reject("{} is larger than any id, {}", in_quotes(text), kLastAccount);
  if (text.contains(':')) {
    return reject("{} names two; write user and group as two keys", in_quotes(text));
  }
  // Names of Windows domains end in '$'.
  const std::string_view name = text.ends_with('$') ? text.substr(0, text.size() - 1) : text;
  if (!name.starts_with('-') && std::ranges::all_of(name, is_name_character)) {
    return std::string(text);
  }
  return reject("{} is neither a name nor a number", in_quotes(text));
}

Parsed<std::string> parse_access_rule(std::string_view text) {
  const bool known = text.starts_with("user:") || text.starts_with("group:");
  const std::string_view account = text.substr(text.find(':') + 1);
  if (!known || account.empty()) {
    return reject("{} names nobody; write \"user:NAME\" or \"group:NAME\"", in_quotes(text));
  }
  if (auto parsed = parse_account(account); !parsed) return parsed;
  return std::string(text);
}

std::string made_name(std::string_view text, std::string_view otherwise) {
  std::string name(text.substr(0, kLongestName));
  std::ranges::replace_if(name, [](char c) { return !is_name_character(c); }, '_');
  return name.empty() ? std::string(otherwise) : name;
}

std::string_view basename_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string name_of_listener(std::string_view path) {
  const std::string_view name = basename_of(path.substr(path.starts_with('@') ? 1 : 0));
  const std::size_t dot = name.rfind('.');
  return made_name(dot == 0 ? name : name.substr(0, dot), "listener");
}

}  // namespace perch::config
