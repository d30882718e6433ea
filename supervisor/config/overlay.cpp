// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/overlay.h"

#include <fmt/format.h>

#include <set>

#include "supervisor/config/names.h"

namespace perch::config {
namespace {

// The table at `key`, made if absent, which moves its neighbours; null if the file has something
// else there, which reading will report.
Table* table_at(Table& table, std::string_view key) {
  if (find(table, key) == nullptr) find_or_add(table, key).value = Table{};
  return std::get_if<Table>(&find_or_add(table, key).value);
}

Array strings(const std::vector<std::string>& texts) {
  Array items;
  for (const std::string& text : texts) items.push_back({text});
  return items;
}

std::string unique_name(const std::string& wanted, const Table& taken) {
  std::string name = wanted;
  for (int n = 2; find(taken, name) != nullptr; ++n) name = fmt::format("{}-{}", wanted, n);
  return name;
}

struct Wanted {
  std::string name;
  std::string path;
};

// "[NAME=]PATH"; a '=' behind a '/' is the path's own.
Wanted split(const std::string& text, const Table& taken) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || text.find('/') < equals || text.starts_with('@')) {
    return {unique_name(name_of_listener(text), taken), text};
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

class Overlay {
 public:
  Overlay(Table& root, const Overrides& overrides, Report& report)
      : root_(root), overrides_(overrides), report_(report) {}

  void apply() {
    set_perch("control", "--control", overrides_.control);
    set_perch("keeper", "--keeper", overrides_.keeper);
    set_perch("log_format", "--log-format", overrides_.log_format);
    const std::vector<std::string> added = add_listeners();
    apply_to_worker(added);
  }

 private:
  using Option = std::optional<std::string>;

  // `table` is null where the file has something else in its place.
  void set(Table* table, const KeyPath& path, const char* option, Node value) {
    if (table == nullptr) return;
    find_or_add(*table, path.back()) = std::move(value);
    report_.mark_command_line(path, option);
  }

  void set_perch(const char* key, const char* option, const Option& value) {
    if (value) set(table_at(root_, "perch"), {"perch", key}, option, {*value});
  }

  // The names that are new.
  std::vector<std::string> add_listeners() {
    std::vector<std::string> added;
    Table* const listeners = overrides_.listen.empty() ? nullptr : table_at(root_, "listeners");
    if (listeners == nullptr) return added;
    std::set<std::string> seen;
    for (const std::string& text : overrides_.listen) {
      const Wanted wanted = split(text, *listeners);
      if (!seen.insert(wanted.name).second) {
        report_.add_option("--listen " + text,
                           in_quotes(wanted.name) + " is given twice; rename one");
        continue;
      }
      if (set_listener(*listeners, wanted, text)) added.push_back(wanted.name);
    }
    return added;
  }

  // Whether it is new.
  bool set_listener(Table& listeners, const Wanted& wanted, const std::string& text) {
    const bool is_new = find(listeners, wanted.name) == nullptr;
    Table* const listener = table_at(listeners, wanted.name);
    if (listener == nullptr) return false;
    find_or_add(*listener, "path").value = wanted.path;
    KeyPath path{"listeners", wanted.name};
    if (!is_new) path.emplace_back("path");
    report_.mark_command_line(path, "--listen " + text);
    return is_new;
  }

  void apply_to_worker(const std::vector<std::string>& added) {
    Table* const workers = table_at(root_, "workers");
    if (workers == nullptr) return;
    if (workers->size() > 1) return refuse_options(*workers);
    if (workers->empty()) {
      if (!overrides_.command.empty()) make_worker(*workers);
    } else {
      add_to_worker(*workers, added);
    }
    if (workers->empty()) return;
    const std::string& name = workers->front().key;
    if (auto* const worker = std::get_if<Table>(&workers->front().node.value)) {
      set_worker(*worker, name);
    }
  }

  void make_worker(Table& workers) {
    const std::string name = made_name(basename_of(overrides_.command.front()), "worker");
    const std::vector<std::string> listeners = listener_names();
    workers.push_back({name, {Table{{"listeners", {strings(listeners)}}}}});
    report_.mark_command_line({"workers", name}, "worker " + name);
  }

  [[nodiscard]] std::vector<std::string> listener_names() const {
    std::vector<std::string> names;
    const Node* const node = find(root_, "listeners");
    const auto* const listeners = node == nullptr ? nullptr : std::get_if<Table>(&node->value);
    if (listeners == nullptr) return names;
    for (const Entry& listener : *listeners) names.push_back(listener.key);
    return names;
  }

  static void add_to_worker(Table& workers, const std::vector<std::string>& added) {
    auto* const worker = std::get_if<Table>(&workers.front().node.value);
    if (worker == nullptr || added.empty()) return;
    if (find(*worker, "listeners") == nullptr) find_or_add(*worker, "listeners").value = Array{};
    auto* const names = std::get_if<Array>(&find_or_add(*worker, "listeners").value);
    if (names == nullptr) return;
    for (const std::string& name : added) names->push_back({name});
  }

  void set_worker(Table& worker, const std::string& name) {
    if (!overrides_.command.empty()) {
      set(&worker, {"workers", name, "command"}, "command", {strings(overrides_.command)});
    }
    if (const Option& way = overrides_.handover) {
      set(&worker, {"workers", name, "handover"}, "--handover", {*way});
    }
    if (const Option& timeout = overrides_.stop_timeout) {
      set(&worker, {"workers", name, "stop_timeout"}, "--stop-timeout", {*timeout});
    }
    if (const Option& policy = overrides_.policy) {
      set(table_at(worker, "restart"), {"workers", name, "restart", "policy"}, "--policy",
          {*policy});
    }
  }

  void refuse_options(const Table& workers) {
    const auto refuse = [&](bool given, const char* option) {
      if (!given) return;
      report_.add_option(option,
                         fmt::format("the file has {} workers, and this is for an only one; "
                                     "set it in the file",
                                     workers.size()));
    };
    refuse(!overrides_.command.empty(), "command");
    refuse(overrides_.handover.has_value(), "--handover");
    refuse(overrides_.policy.has_value(), "--policy");
    refuse(overrides_.stop_timeout.has_value(), "--stop-timeout");
  }

  Table& root_;
  const Overrides& overrides_;
  Report& report_;
};

}  // namespace

void overlay(Table& root, const Overrides& overrides, Report& report) {
  Overlay(root, overrides, report).apply();
}

}  // namespace perch::config
