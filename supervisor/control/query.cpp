// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/query.h"

#include <algorithm>
#include <charconv>

#include "supervisor/config/nearest.h"
#include "supervisor/config/units.h"

namespace perch::control {
namespace {

std::string unknown(std::string_view name, std::span<const std::string_view> known) {
  const std::string is_none = "there is no parameter " + config::in_quotes(name);
  if (known.empty()) return is_none + "; this request takes none";
  return is_none + "; " + config::suggestion(name, known);
}

}  // namespace

std::expected<Query, std::string> Query::parse(std::string_view text,
                                               std::span<const std::string_view> known) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    // A '&' with nothing behind it leaves an empty pair to complain about.
    const bool last = pair.size() == text.size();
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    if (std::ranges::find(known, name) == known.end()) return std::unexpected(unknown(name, known));
    if (equals == std::string_view::npos) {
      return std::unexpected("the parameter " + config::in_quotes(name) + " has no value");
    }
    if (!query.values_.emplace(name, pair.substr(equals + 1)).second) {
      return std::unexpected("the parameter " + config::in_quotes(name) + " is given twice");
    }
    if (last) break;
    text.remove_prefix(pair.size() + 1);
    if (text.empty()) return std::unexpected("the query ends in '&'");
  }
  return query;
}

std::expected<std::uint64_t, std::string> Query::number(std::string_view name,
                                                        std::uint64_t most) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return 0;
  const std::string_view text = found->second;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number <= most) return number;
  return std::unexpected("the parameter " + config::in_quotes(name) + " is " +
                         config::in_quotes(text) + "; write a number from 0 to " +
                         std::to_string(most));
}

}  // namespace perch::control
