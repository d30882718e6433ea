// SPDX-License-Identifier: Apache-2.0
// Document: a TOML text as a tree of plain values, and where in the text each of them stands. The
// only user of toml11: its types and its exceptions end here, and its messages of many lines become
// one. Positions are looked up when a problem is reported, not before.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "supervisor/config/text_guard.h"

namespace perch::config {

struct Entry;
struct Node;
using Table = std::vector<Entry>;  // by name
using Array = std::vector<Node>;
struct Moment {};  // a date or time, of which the configuration has none

struct Node {
  std::variant<std::string, std::int64_t, double, bool, Moment, Array, Table> value;
};

struct Entry {
  std::string key;
  Node node;
};

// Null where there is none.
const Node* find(const Table& table, std::string_view key);
// Makes it (an empty string) where there is none.
Node& find_or_add(Table& table, std::string_view key);

// "a string", "an integer", ...: for people.
std::string_view kind_of(const Node& node);

// From the root: keys, and "[0]" for the first item of an array.
using KeyPath = std::vector<std::string>;
// workers.app.command[0]; keys that need quotes get them.
std::string path_text(const KeyPath& path);

class Document {
 public:
  // The empty document.
  Document();
  static std::expected<Document, Unreadable> parse(std::string_view text);
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;

  [[nodiscard]] const Table& root() const noexcept { return root_; }
  // Of the value at `path`, or of the deepest part of it that there is.
  [[nodiscard]] Position position_of(const KeyPath& path) const;
  // Of the key itself, which stands before its value.
  [[nodiscard]] Position position_of_key(const KeyPath& path) const;

 private:
  struct Source;
  Table root_;
  std::unique_ptr<const Source> source_;
};

}  // namespace perch::config
