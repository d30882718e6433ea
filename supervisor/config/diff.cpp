// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/diff.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>
#include <utility>

namespace perch::config {
namespace {

// How deep a change goes, the deepest last.
enum class Depth { None, Policy, Listeners, Process };

// What the worker's process is made of, and what perch alone goes by; beside both, its listeners.
// Every field is named here, so a new one does not compile until it is sorted.
auto process_and_policy(const WorkerConfig& worker) {
  const auto& [command, listeners, handover, probe_guard, tcp_reuse_address, required, stop_signal,
               stop_timeout, forward_signals, reload_signal, capture, capture_format, capture_rate,
               user, group, directory, umask, environment, capabilities, rlimits, on_child_oom,
               pids_max, cpu_weight, memory, readiness, restart] = worker;
  return std::pair(
      std::tie(command, handover, probe_guard, tcp_reuse_address, capture, user, group, directory,
               umask, environment, capabilities, rlimits),
      std::tie(required, stop_signal, stop_timeout, forward_signals, reload_signal, capture_format,
               capture_rate, on_child_oom, pids_max, cpu_weight, memory, readiness, restart));
}

template <class Section>
std::vector<std::string> only_in(const std::map<std::string, Section>& sections,
                                 const std::map<std::string, Section>& others) {
  std::vector<std::string> names;
  for (const auto& [name, section] : sections) {
    if (!others.contains(name)) names.push_back(name);
  }
  return names;
}

// In both, and not the same.
template <class Section, class Differs>
std::vector<std::string> changed(const std::map<std::string, Section>& running,
                                 const std::map<std::string, Section>& wanted, Differs differs) {
  std::vector<std::string> names;
  for (const auto& [name, before] : running) {
    const auto after = wanted.find(name);
    if (after != wanted.end() && differs(before, after->second)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> moved_listeners(const Config& running, const Config& wanted) {
  return changed(running.listeners, wanted.listeners,
                 [](const auto& before, const auto& after) { return before.path != after.path; });
}

bool takes_one_of(const WorkerConfig& worker, const std::vector<std::string>& listeners) {
  return std::ranges::find_first_of(worker.listeners, listeners) != worker.listeners.end();
}

Depth depth_of(const WorkerConfig& before, const WorkerConfig& after,
               const std::vector<std::string>& moved, const std::vector<std::string>& guarded) {
  if (process_and_policy(before).first != process_and_policy(after).first) return Depth::Process;
  if (before.listeners != after.listeners || takes_one_of(after, moved)) {
    return after.handover == HandoverWay::Channel ? Depth::Listeners : Depth::Process;
  }
  // What becomes of its chmod is settled when it is started.
  if (after.handover == HandoverWay::Intercept && takes_one_of(after, guarded)) {
    return Depth::Process;
  }
  const bool same = process_and_policy(before).second == process_and_policy(after).second;
  return same ? Depth::None : Depth::Policy;
}

std::vector<std::string> workers_changed(const Config& running, const Config& wanted, Depth depth) {
  const auto moved = moved_listeners(running, wanted);
  const auto guarded = listeners_with_mode_anew(running, wanted);
  return changed(running.workers, wanted.workers, [&](const auto& before, const auto& after) {
    return depth_of(before, after, moved, guarded) == depth;
  });
}

}  // namespace

std::vector<std::string> listeners_with_mode_anew(const Config& running, const Config& wanted) {
  return changed(running.listeners, wanted.listeners, [](const auto& before, const auto& after) {
    return before.mode.has_value() != after.mode.has_value();
  });
}

Diff diff(const Config& running, const Config& wanted) {
  Diff diff;
  diff.listeners_added = only_in(wanted.listeners, running.listeners);
  diff.listeners_removed = only_in(running.listeners, wanted.listeners);
  diff.workers_added = only_in(wanted.workers, running.workers);
  diff.workers_removed = only_in(running.workers, wanted.workers);
  diff.listeners_moved = moved_listeners(running, wanted);
  diff.listeners_changed =
      changed(running.listeners, wanted.listeners, [](const auto& before, const auto& after) {
        return before.path == after.path && before != after;
      });
  diff.workers_restarted = workers_changed(running, wanted, Depth::Process);
  diff.workers_rehanded = workers_changed(running, wanted, Depth::Listeners);
  diff.workers_adjusted = workers_changed(running, wanted, Depth::Policy);
  diff.perch_changed = running.perch != wanted.perch;
  return diff;
}

std::string summary(const Diff& diff) {
  const std::pair<std::string_view, const std::vector<std::string>&> parts[]{
      {"listeners claimed", diff.listeners_added},
      {"listeners moved", diff.listeners_moved},
      {"listeners retired", diff.listeners_removed},
      {"listeners changed live", diff.listeners_changed},
      {"workers added", diff.workers_added},
      {"workers removed", diff.workers_removed},
      {"workers restarted", diff.workers_restarted},
      {"workers handed other listeners", diff.workers_rehanded},
      {"workers changed live", diff.workers_adjusted},
  };
  std::string text = diff.perch_changed ? "perch itself changed live" : "";
  for (const auto& [what, names] : parts) {
    if (names.empty()) continue;
    text.append(text.empty() ? "" : "; ").append(what).append(":");
    for (const std::string& name : names) text.append(" ").append(name);
  }
  return text.empty() ? "nothing has changed" : text;
}

}  // namespace perch::config
