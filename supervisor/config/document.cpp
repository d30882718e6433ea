// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/document.h"

#include <toml.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "common/value/text.h"
#include "supervisor/config/syntax_error.h"
#include "supervisor/config/units.h"

namespace perch::config {
namespace {

using Toml = toml::basic_value<toml::discard_comments, std::map>;

Node to_node(const Toml& value) {
  switch (value.type()) {
    case toml::value_t::string:
      return {value.as_string().str};
    case toml::value_t::integer:
      return {std::int64_t{value.as_integer()}};
    case toml::value_t::floating:
      return {value.as_floating()};
    case toml::value_t::boolean:
      return {value.as_boolean()};
    case toml::value_t::array: {
      Array items;
      for (const Toml& item : value.as_array()) items.push_back(to_node(item));
      return {std::move(items)};
    }
    case toml::value_t::table: {
      Table entries;
      for (const auto& [key, entry] : value.as_table()) entries.push_back({key, to_node(entry)});
      return {std::move(entries)};
    }
    default:
      return {Moment{}};
  }
}

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

const Toml* child_of(const Toml& value, const std::string& step) {
  if (value.is_table()) {
    const auto found = value.as_table().find(step);
    return found == value.as_table().end() ? nullptr : &found->second;
  }
  if (!value.is_array() || !step.starts_with('[')) return nullptr;
  std::size_t index = 0;
  std::from_chars(step.data() + 1, step.data() + step.size(), index);
  return index < value.as_array().size() ? &value.as_array()[index] : nullptr;
}

// The column of the last place in `line`, not after `limit`, where `key` stands as a whole word.
std::optional<std::size_t> column_of(std::string_view line, std::string_view key,
                                     std::size_t limit) {
  for (std::size_t at = line.rfind(key, limit); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : line.rfind(key, at - 1)) {
    const bool opens = at == 0 || !is_bare(line[at - 1]);
    const std::size_t end = at + key.size();
    if (opens && (end >= line.size() || !is_bare(line[end]))) return at + 1;
  }
  return std::nullopt;
}

}  // namespace

struct Document::Source {
  Toml root;

  // The value at the longest beginning of `path` that there is.
  [[nodiscard]] const Toml& deepest(const KeyPath& path) const {
    const Toml* value = &root;
    for (const std::string& step : path) {
      const Toml* const next = child_of(*value, step);
      if (next == nullptr) break;
      value = next;
    }
    return *value;
  }
};

Document::Document() : source_(std::make_unique<Source>()) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

std::expected<Document, Unreadable> Document::parse(std::string_view text) {
  if (auto unreadable = find_unreadable(text)) return std::unexpected(std::move(*unreadable));
  // toml11 throws, and not only its own kinds (std::out_of_range for some dates).
  try {
    std::istringstream stream{std::string(text)};
    Document document;
    document.source_ = std::make_unique<Source>(
        Source{toml::parse<toml::discard_comments, std::map>(stream, "toml")});
    document.root_ = std::get<Table>(to_node(document.source_->root).value);
    return document;
  } catch (const toml::exception& error) {
    const Position fallback{error.location().line(), error.location().column()};
    return std::unexpected(boiled_down(error.what(), fallback));
  } catch (const std::exception& error) {
    return std::unexpected(Unreadable{{}, std::string("not TOML: ") + printable(error.what())});
  }
}

Position Document::position_of(const KeyPath& path) const {
  const toml::source_location at = source_->deepest(path).location();
  return {.line = at.line(), .column = at.column()};
}

Position Document::position_of_key(const KeyPath& path) const {
  const toml::source_location at = source_->deepest(path).location();
  // A table's place is its whole header, [a.b]; another value's key stands before it.
  const bool header = at.line_str().substr(0, at.column()).ends_with('[');
  const std::size_t limit = header ? std::string::npos : at.column() - 1;
  return {.line = at.line(),
          .column = column_of(at.line_str(), path.back(), limit).value_or(at.column())};
}

const Node* find(const Table& table, std::string_view key) {
  const auto found = std::ranges::find(table, key, &Entry::key);
  return found == table.end() ? nullptr : &found->node;
}

Node& find_or_add(Table& table, std::string_view key) {
  const auto found = std::ranges::find(table, key, &Entry::key);
  if (found != table.end()) return found->node;
  return table.emplace_back(Entry{std::string(key), Node{}}).node;
}

std::string_view kind_of(const Node& node) {
  // In the order of the variant.
  static constexpr std::array<std::string_view, 7> kKinds{
      "a string", "an integer", "a number", "a boolean", "a date or time", "an array", "a table"};
  static_assert(kKinds.size() == std::variant_size_v<decltype(Node::value)>);
  return kKinds[node.value.index()];
}

std::string path_text(const KeyPath& path) {
  std::string text;
  for (const std::string& step : path) {
    const bool item = step.starts_with('[');
    if (!text.empty() && !item) text += '.';
    text += item || (!step.empty() && std::ranges::all_of(step, is_bare)) ? step : in_quotes(step);
  }
  return text;
}

}  // namespace perch::config
