// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/task_id.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "worker/peer/store/digest.h"

namespace perch::peer {
namespace {

constexpr std::string_view kUnreserved =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

// Takes `text` up to `separator` and steps over it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view head = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return head;
}

// As in a form: '+' is a space, %XX a byte, a broken escape stays as it is.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const std::string_view hex = text.substr(i + 1, 2);
    if (text[i] == '%' && hex.size() == 2 &&
        std::from_chars(hex.data(), hex.data() + 2, byte, 16).ptr == hex.data() + 2) {
      plain.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      plain.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return plain;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kUnreserved.find(c) != std::string_view::npos) {
      result.push_back(c);
    } else if (c == ' ') {
      result.push_back('+');
    } else {
      result.append({'%', kHexDigits[byte >> 4U], kHexDigits[byte & 15U]});
    }
  }
  return result;
}

// Sorted by name; those of one name stay in their order.
using Parameters = std::multimap<std::string, std::string>;

Parameters parameters_of(std::string_view query) {
  Parameters parameters;
  while (!query.empty()) {
    std::string_view segment = take_until(query, '&');
    // A segment with a ';' is dropped: the scheduler, written in Go, does not read such ones.
    if (segment.empty() || segment.find(';') != std::string_view::npos) continue;
    std::string name = unescaped(take_until(segment, '='));
    parameters.emplace(std::move(name), unescaped(segment));
  }
  return parameters;
}

bool is_bare_root(std::string_view url) {
  const std::size_t host = url.find("://");
  return host != std::string_view::npos && url.find('/', host + 3) == url.size() - 1;
}

}  // namespace

std::string without_query_params(std::string_view url, const std::vector<std::string>& names) {
  if (names.empty()) return std::string(url);
  const std::size_t hash = url.find('#');
  const std::string_view fragment =
      hash == std::string_view::npos ? std::string_view() : url.substr(hash);
  std::string_view query = url.substr(0, hash);
  std::string result(take_until(query, '?'));

  auto kept = parameters_of(query);
  std::erase_if(kept, [&](const auto& parameter) {
    return std::ranges::find(names, parameter.first) != names.end();
  });
  char separator = '?';
  for (const auto& [name, value] : kept) {
    result.append({separator}).append(escaped(name)).append("=").append(escaped(value));
    separator = '&';
  }
  result.append(fragment);
  if (is_bare_root(result)) result.pop_back();
  return result;
}

std::string task_id(const TaskKey& key) {
  Hasher hasher(HashKind::Sha256);
  if (key.content) {
    hasher.add(*key.content);
    return hasher.hex();
  }
  hasher.add(without_query_params(key.url, key.filtered_query_params));
  hasher.add(key.tag);
  hasher.add(key.application);
  if (key.piece_length) hasher.add(std::to_string(*key.piece_length));
  hasher.add("STANDARD");  // Dragonfly's name of this type of task
  return hasher.hex();
}

bool is_task_id(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace perch::peer
