// SPDX-License-Identifier: Apache-2.0
// Report: collects everything that is wrong with one configuration, each problem with the place it
// comes from: a line and column of the file, or the option of the command line that set the value.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/load.h"

namespace perch::config {

class Report {
 public:
  // `file` empty: there is none. Borrows the document.
  Report(std::string file, const Document& document)
      : file_(std::move(file)), document_(document) {}

  // From now on, problems at `path` and below it are the command line's, called `label`.
  void mark_command_line(const KeyPath& path, std::string label);

  // A problem with the value at `path`, or with what is missing there.
  void add(const KeyPath& path, const std::string& text);
  // A problem with the key itself.
  void add_key(const KeyPath& path, const std::string& text);
  // A problem with the command line as such.
  void add_option(const std::string& label, const std::string& text);

  // Whether something was said about `path` or below it.
  [[nodiscard]] bool mentions(const KeyPath& path) const;
  [[nodiscard]] bool empty() const noexcept { return findings_.empty(); }
  // In the order of the file, the command line's last; beyond a hundred they are only counted.
  [[nodiscard]] std::vector<Problem> problems() const;

 private:
  static constexpr std::size_t kMost = 100;

  struct Finding {
    KeyPath path;
    std::optional<Position> where;  // none: of the command line
    std::string text;
  };
  // The label of the longest marked beginning of `path`; null if none is marked.
  [[nodiscard]] const std::string* label_of(const KeyPath& path) const;
  // `position_in` is called only if it is needed: it takes time that grows with the file.
  void add_at(const KeyPath& path, const std::string& text,
              Position (Document::*position_in)(const KeyPath&) const);

  std::string file_;
  const Document& document_;
  std::map<KeyPath, std::string> labels_;
  std::vector<Finding> findings_;
  std::size_t more_ = 0;
};

}  // namespace perch::config
