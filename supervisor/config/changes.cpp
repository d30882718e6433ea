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

class Story {
 public:
  Story(const Diff& diff, const Config& running, const Config& wanted)
      : diff_(diff), running_(running), wanted_(wanted) {}

  void perch();
  void listeners();
  void workers();

  [[nodiscard]] Lines take() && { return std::move(lines_); }

 private:
  void tell(const std::string& whom, std::string_view what, const Lines& keys = {});
  void tell_each(const std::vector<std::string>& workers, std::string_view what);
  [[nodiscard]] Lines keys_of(const std::string& worker) const;
  [[nodiscard]] bool is_renamed(const std::string& from, const std::string& to) const;

  const Diff& diff_;
  const Config& running_;
  const Config& wanted_;
  Lines lines_;
};

void Story::tell(const std::string& whom, std::string_view what, const Lines& keys) {
  lines_.push_back(fmt::format("{}: {}", whom, what));
  for (const std::string& key : keys) lines_.push_back("  " + key);
}

// What is compared may differ only in where it was said, which no key shows.
void Story::perch() {
  const Lines keys = changed_keys(settings_of(running_.perch), settings_of(wanted_.perch));
  if (!keys.empty()) tell("perch", "would change live", keys);
}

// The same socket has another name: nothing is claimed anew, nor retired.
bool Story::is_renamed(const std::string& from, const std::string& to) const {
  return running_.listeners.at(from).path == wanted_.listeners.at(to).path;
}

void Story::listeners() {
  Lines retired = diff_.listeners_removed;
  for (const std::string& name : diff_.listeners_added) {
    const auto old = std::ranges::find_if(
        retired, [&](const std::string& from) { return is_renamed(from, name); });
    if (old == retired.end()) {
      tell("listener " + name, "would be claimed at " + wanted_.listeners.at(name).path);
    } else {
      tell("listener " + name, "would be the new name of listener " + *old);
      retired.erase(old);
    }
  }
  for (const std::string& name : retired) {
    tell("listener " + name, "would be retired from " + running_.listeners.at(name).path);
  }
  const auto tell_changed = [this](const std::string& name, std::string_view what) {
    tell("listener " + name, what,
         changed_keys(settings_of(running_.listeners.at(name)),
                      settings_of(wanted_.listeners.at(name))));
  };
  for (const std::string& name : diff_.listeners_moved) {
    tell_changed(name, "would be claimed at its new path, the old one retired");
  }
  for (const std::string& name : diff_.listeners_changed) tell_changed(name, "would change live");
}

Lines Story::keys_of(const std::string& worker) const {
  const WorkerConfig& after = wanted_.workers.at(worker);
  Lines keys = changed_keys(settings_of(running_.workers.at(worker)), settings_of(after));
  for (const std::string& moved : diff_.listeners_moved) {
    if (std::ranges::find(after.listeners, moved) != after.listeners.end()) {
      keys.push_back(fmt::format("its listener {} has another path", moved));
    }
  }
  if (after.handover != HandoverWay::Intercept) return keys;
  for (const std::string& name : listeners_with_mode_anew(running_, wanted_)) {
    if (std::ranges::find(after.listeners, name) == after.listeners.end()) continue;
    keys.push_back(fmt::format("its listener {} has {} mode of its own", name,
                               wanted_.listeners.at(name).mode ? "a" : "no"));
  }
  return keys;
}

void Story::tell_each(const std::vector<std::string>& workers, std::string_view what) {
  for (const std::string& name : workers) tell("worker " + name, what, keys_of(name));
}

void Story::workers() {
  for (const std::string& name : diff_.workers_added) tell("worker " + name, "would be started");
  for (const std::string& name : diff_.workers_removed) {
    tell("worker " + name, "would be stopped and removed");
  }
  tell_each(diff_.workers_restarted, "would be restarted");
  tell_each(diff_.workers_rehanded, "would change live: its listeners are handed over as it runs");
  tell_each(diff_.workers_adjusted, "would change live");
}

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
  Story story(diff, running, wanted);
  story.perch();
  story.listeners();
  story.workers();
  return std::move(story).take();
}

}  // namespace perch::config
