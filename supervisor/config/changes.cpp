// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/value/text.h"

namespace perch::config {
namespace {

using Lines = std::vector<std::string>;

std::string shown(const Setting* setting) {
  return setting != nullptr && setting->value ? printable(*setting->value) : "unset";
}

std::string change_of(const Setting* before, const Setting* after) {
  const Setting& either = before != nullptr ? *before : *after;
  const std::string key =
      printable(either.table.empty() ? either.key : either.table + "." + either.key);
  if (either.table != "environment") {
    return fmt::format("{}: {} -> {}", key, shown(before), shown(after));
  }
  return fmt::format("{}: {}", key,
                     before == nullptr  ? "added"
                     : after == nullptr ? "removed"
                                        : "changed");
}

const Setting* find(const Settings& settings, const Setting& like) {
  const auto found = std::ranges::find_if(settings, [&](const Setting& setting) {
    return setting.table == like.table && setting.key == like.key;
  });
  return found == settings.end() ? nullptr : &*found;
}

template <class Section>
Lines changed_keys_of(const std::map<std::string, Section>& running,
                      const std::map<std::string, Section>& wanted, const std::string& name) {
  return changed_keys(settings_of(running.at(name)), settings_of(wanted.at(name)));
}

class Story {
 public:
  Story(const Config& running, const Config& wanted) : running_(running), wanted_(wanted) {}

  void listeners(const std::vector<std::string>& names, std::string_view what) {
    for (const std::string& name : names) {
      tell("listener " + name, what, changed_keys_of(running_.listeners, wanted_.listeners, name));
    }
  }
  void workers(const std::vector<std::string>& names, std::string_view what) {
    for (const std::string& name : names) {
      tell("worker " + name, what, changed_keys_of(running_.workers, wanted_.workers, name));
    }
  }
  void tell(const std::string& whom, std::string_view what, const Lines& keys = {}) {
    lines_.push_back(fmt::format("{}: {}", whom, what));
    for (const std::string& key : keys) lines_.push_back("  " + key);
  }

  [[nodiscard]] Lines take() && { return std::move(lines_); }

 private:
  const Config& running_;
  const Config& wanted_;
  Lines lines_;
};

}  // namespace

Lines changed_keys(const Settings& running, const Settings& wanted) {
  Lines lines;
  for (const Setting& before : running) {
    const Setting* const after = find(wanted, before);
    if (after == nullptr || *after != before) lines.push_back(change_of(&before, after));
  }
  for (const Setting& after : wanted) {
    if (find(running, after) == nullptr) lines.push_back(change_of(nullptr, &after));
  }
  return lines;
}

Lines describe(const Diff& diff, const Config& running, const Config& wanted) {
  Story story(running, wanted);
  // What is compared may differ only in where it was said, which no key shows.
  const Lines own = changed_keys(settings_of(running.perch), settings_of(wanted.perch));
  if (!own.empty()) story.tell("perch", "would change live", own);
  for (const std::string& name : diff.listeners_added) {
    story.tell("listener " + name, "would be claimed at " + wanted.listeners.at(name).path);
  }
  for (const std::string& name : diff.listeners_removed) {
    story.tell("listener " + name, "would be retired from " + running.listeners.at(name).path);
  }
  story.listeners(diff.listeners_changed, "would change live");
  for (const std::string& name : diff.workers_added) {
    story.tell("worker " + name, "would be started");
  }
  for (const std::string& name : diff.workers_removed) {
    story.tell("worker " + name, "would be stopped and removed");
  }
  story.listeners(diff.listeners_moved, "would be claimed at its new path");
  story.workers(diff.workers_restarted, "would be restarted");
  story.workers(diff.workers_rehanded, "would get its listeners while it runs");
  story.workers(diff.workers_adjusted, "would change live");
  return std::move(story).take();
}

}  // namespace perch::config
