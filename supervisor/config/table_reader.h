// SPDX-License-Identifier: Apache-2.0
// TableReader: a strict view of one table of the configuration. Each read() takes a key into its
// place, which keeps its default where the key is absent or its value is wrong; what is wrong is
// reported. It remembers which keys were asked for: refuse_others() reports the rest as unknown.
// It borrows the table and the report.
#pragma once

#include <cmath>
#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/choices.h"
#include "supervisor/config/document.h"
#include "supervisor/config/report.h"
#include "supervisor/config/units.h"

namespace perch::config {

template <class T>
struct Range {
  T least;
  T most;
};

// A string as it stands.
inline constexpr Unit<std::string> kText{
    "a string", [](std::string_view text) { return Parsed<std::string>(text); }};

class TableReader {
 public:
  // A node that is no table is reported, and read as an empty one.
  TableReader(const Node& node, KeyPath path, Report& report);
  TableReader(const Table& table, KeyPath path, Report& report)
      : table_(&table), path_(std::move(path)), report_(&report) {}

  void read(std::string_view key, bool& into);
  void read(std::string_view key, double& into, Range<double> range);
  void read(std::string_view key, std::string& into) { read(key, into, kText); }

  template <std::integral T>
  void read(std::string_view key, T& into, Range<T> range) {
    if (const auto number = integer(key, {std::int64_t{range.least}, std::int64_t{range.most}})) {
      into = static_cast<T>(*number);
    }
  }

  template <std::integral T>
  void read(std::string_view key, std::optional<T>& into, Range<T> range) {
    if (const auto number = integer(key, {std::int64_t{range.least}, std::int64_t{range.most}})) {
      into = static_cast<T>(*number);
    }
  }

  // `into` is a T or an optional of it.
  template <class Into, class T>
  void read(std::string_view key, Into& into, const Unit<T>& unit) {
    const Node* const node = take(key);
    if (node == nullptr) return;
    // NOLINTNEXTLINE(bugprone-optional-value-conversion): `into` may be no optional
    if (auto value = parse<T>(*node, below(key), unit)) into = std::move(*value);
  }

  template <class T>
  void read(std::string_view key, std::vector<T>& into, const Unit<T>& unit) {
    const Array* const items = array(key);
    if (items == nullptr) return;
    into.clear();
    for (std::size_t i = 0; i < items->size(); ++i) {
      KeyPath path = below(key);
      path.push_back('[' + std::to_string(i) + ']');
      if (auto value = parse<T>((*items)[i], path, unit)) into.push_back(std::move(*value));
    }
  }

  template <class Into, class E, std::size_t N>
  void read(std::string_view key, Into& into, const std::array<Choice<E>, N>& choices,
            std::span<const std::string_view> later = {}) {
    const std::optional<std::string> text = string(key, "a string");
    if (!text) return;
    if (auto value = choose<E>(*text, choices, later)) {
      into = *value;
    } else {
      report_->add(below(key), value.error());
    }
  }

  // Whether something else is in the table's place.
  [[nodiscard]] bool misplaced() const noexcept { return misplaced_; }
  // The table at `key`, empty if absent.
  TableReader table(std::string_view key);
  // Every key of this table, for those whose keys are names.
  [[nodiscard]] std::vector<std::string> keys() const;
  [[nodiscard]] bool has(std::string_view key) const { return find(*table_, key) != nullptr; }
  // Null if absent; counts as asked for.
  const Node* take(std::string_view key);

  // Reports that `key` is missing, unless it is there. `what` says
  // what to add.
  void require(std::string_view key, std::string_view what);
  // Every key that nobody asked for is unknown; those in `later` are the design's, to come.
  void refuse_others(std::span<const std::string_view> later = {});

  [[nodiscard]] KeyPath below(std::string_view key) const;
  [[nodiscard]] Report& report() const noexcept { return *report_; }

 private:
  // The string in `node`; reports what else it is.
  const std::string* string_in(const Node& node, const KeyPath& path, std::string_view expected);
  std::optional<std::string> string(std::string_view key, std::string_view expected);
  std::optional<std::int64_t> integer(std::string_view key, Range<std::int64_t> range);
  const Array* array(std::string_view key);
  void expected(const KeyPath& path, std::string_view what, const Node& found);

  template <class T>
  std::optional<T> parse(const Node& node, const KeyPath& path, const Unit<T>& unit) {
    const std::string* const text = string_in(node, path, unit.expected);
    if (text == nullptr) return std::nullopt;
    Parsed<T> value = unit.parse(*text);
    if (value) return std::move(*value);
    report_->add(path, value.error());
    return std::nullopt;
  }

  const Table* table_;
  bool misplaced_ = false;
  KeyPath path_;
  Report* report_;
  std::vector<std::string_view> asked_for_;
};

}  // namespace perch::config
