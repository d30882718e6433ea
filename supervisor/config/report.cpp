// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace perch::config {

void Report::mark_command_line(const KeyPath& path, std::string label) {
  labels_[path] = std::move(label);
}

const std::string* Report::label_of(const KeyPath& path) const {
  for (KeyPath beginning = path; !beginning.empty(); beginning.pop_back()) {
    const auto found = labels_.find(beginning);
    if (found != labels_.end()) return &found->second;
  }
  return nullptr;
}

void Report::add_at(const KeyPath& path, const std::string& text,
                    Position (Document::*position_in)(const KeyPath&) const) {
  if (findings_.size() == kMost) {
    ++more_;
  } else if (const std::string* const label = label_of(path)) {
    findings_.push_back({path, std::nullopt, fmt::format("{}: {}", *label, text)});
  } else if (file_.empty()) {
    findings_.push_back({path, std::nullopt, text});
  } else {
    const Position where = (document_.*position_in)(path);
    const std::string subject = path.empty() ? "" : path_text(path) + ": ";
    findings_.push_back(
        {path, where,
         fmt::format("{}:{}:{}: {}{}", file_, where.line, where.column, subject, text)});
  }
}

void Report::add(const KeyPath& path, const std::string& text) {
  add_at(path, text, &Document::position_of);
}

void Report::add_key(const KeyPath& path, const std::string& text) {
  add_at(path, text, &Document::position_of_key);
}

void Report::add_option(const std::string& label, const std::string& text) {
  findings_.push_back({{}, std::nullopt, fmt::format("{}: {}", label, text)});
}

bool Report::mentions(const KeyPath& path) const {
  return std::ranges::any_of(findings_, [&](const Finding& finding) {
    return finding.path.size() >= path.size() &&
           std::equal(path.begin(), path.end(), finding.path.begin());
  });
}

std::vector<Problem> Report::problems() const {
  std::vector<const Finding*> ordered;
  for (const Finding& finding : findings_) ordered.push_back(&finding);
  constexpr Position kLast{.line = SIZE_MAX, .column = SIZE_MAX};
  // Of one place, in the order they were found.
  std::ranges::sort(ordered, {}, [&](const Finding* finding) {
    return std::pair(finding->where.value_or(kLast), finding);
  });
  std::vector<Problem> problems;
  for (const Finding* const finding : ordered) problems.push_back({finding->text});
  if (more_ > 0) problems.push_back({fmt::format("and {} more", more_)});
  return problems;
}

}  // namespace perch::config
