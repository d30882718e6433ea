// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/table_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor/config/nearest.h"

namespace perch::config {
namespace {

const Table& empty_table() {
  static const Table empty;
  return empty;
}

}  // namespace

TableReader::TableReader(const Node& node, KeyPath path, Report& report)
    : table_(std::get_if<Table>(&node.value)), path_(std::move(path)), report_(&report) {
  if (table_ != nullptr) return;
  table_ = &empty_table();
  misplaced_ = true;
  expected(path_, "a table", node);
}

KeyPath TableReader::below(std::string_view key) const {
  KeyPath path = path_;
  path.emplace_back(key);
  return path;
}

void TableReader::expected(const KeyPath& path, std::string_view what, const Node& found) {
  report_->add(path, fmt::format("expected {}, found {}", what, kind_of(found)));
}

const Node* TableReader::take(std::string_view key) {
  asked_for_.push_back(key);
  return find(*table_, key);
}

std::vector<std::string> TableReader::keys() const {
  std::vector<std::string> keys;
  for (const Entry& entry : *table_) keys.push_back(entry.key);
  return keys;
}

const std::string* TableReader::string_in(const Node& node, const KeyPath& path,
                                          std::string_view expected_kind) {
  const auto* const text = std::get_if<std::string>(&node.value);
  if (text == nullptr) {
    expected(path, expected_kind, node);
  } else if (text->contains('\0')) {
    report_->add(path, "holds a NUL character; remove it");
    return nullptr;
  }
  return text;
}

std::optional<std::string> TableReader::string(std::string_view key,
                                               std::string_view expected_kind) {
  const Node* const node = take(key);
  if (node == nullptr) return std::nullopt;
  const std::string* const text = string_in(*node, below(key), expected_kind);
  return text == nullptr ? std::nullopt : std::optional(*text);
}

void TableReader::read(std::string_view key, bool& into) {
  const Node* const node = take(key);
  if (node == nullptr) return;
  if (const auto* const value = std::get_if<bool>(&node->value)) {
    into = *value;
  } else {
    expected(below(key), "true or false", *node);
  }
}

void TableReader::read(std::string_view key, double& into, Range<double> range) {
  const Node* const node = take(key);
  if (node == nullptr) return;
  double number = 0;
  if (const auto* const whole = std::get_if<std::int64_t>(&node->value)) {
    number = static_cast<double>(*whole);
  } else if (const auto* const real = std::get_if<double>(&node->value)) {
    number = *real;
  } else {
    return expected(below(key), "a number", *node);
  }
  // Not a number is in no range.
  if (number >= range.least && number <= range.most) {
    into = number;
  } else {
    report_->add(below(key),
                 fmt::format("{} is out of range; use {} to {}", number, range.least, range.most));
  }
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, Range<std::int64_t> range) {
  const Node* const node = take(key);
  if (node == nullptr) return std::nullopt;
  const auto* const number = std::get_if<std::int64_t>(&node->value);
  if (number == nullptr) {
    expected(below(key), "an integer", *node);
    return std::nullopt;
  }
  if (*number >= range.least && *number <= range.most) return *number;
  report_->add(below(key),
               fmt::format("{} is out of range; use {} to {}", *number, range.least, range.most));
  return std::nullopt;
}

const Array* TableReader::array(std::string_view key) {
  const Node* const node = take(key);
  if (node == nullptr) return nullptr;
  const auto* const items = std::get_if<Array>(&node->value);
  if (items == nullptr)
    expected(below(key), "an array of strings such as [\"one\", \"two\"]", *node);
  return items;
}

TableReader TableReader::table(std::string_view key) {
  const Node* const node = take(key);
  if (node == nullptr) return {empty_table(), below(key), *report_};
  return {*node, below(key), *report_};
}

void TableReader::require(std::string_view key, std::string_view what) {
  if (has(key)) return;
  report_->add(below(key), fmt::format("missing; add {}", what));
}

void TableReader::refuse_others(std::span<const std::string_view> later) {
  for (const Entry& entry : *table_) {
    if (std::ranges::find(asked_for_, entry.key) != asked_for_.end()) continue;
    const bool to_come = std::ranges::find(later, entry.key) != later.end();
    report_->add_key(below(entry.key), to_come
                                           ? "not in this build; remove it"
                                           : "unknown key; " + suggestion(entry.key, asked_for_));
  }
}

}  // namespace perch::config
