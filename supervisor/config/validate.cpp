// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <set>

#include "common/posix/unix_socket.h"
#include "supervisor/config/blocking.h"
#include "supervisor/config/choices.h"
#include "supervisor/config/names.h"
#include "supervisor/config/nearest.h"
#include "supervisor/config/units.h"

namespace perch::config {
namespace {

using Worker = std::pair<const std::string, WorkerConfig>;

// SCM_MAX_FD in the kernel: the descriptors of one message.
constexpr std::size_t kMostListeners = 253;

KeyPath path_of(const Worker& worker, const char* key) { return {"workers", worker.first, key}; }

KeyPath item(KeyPath path, std::size_t index) {
  path.push_back(fmt::format("[{}]", index));
  return path;
}

void check_command(const Worker& worker, Report& report) {
  const KeyPath path = path_of(worker, "command");
  if (report.mentions(path)) return;
  if (worker.second.command.empty()) {
    report.add(path, "the command is empty; write the program and its arguments");
  } else if (worker.second.command.front().empty()) {
    report.add(item(path, 0), "the program's name is empty; write its path");
  }
}

std::vector<std::string_view> names_of(const Config& config) {
  std::vector<std::string_view> names;
  for (const auto& [name, listener] : config.listeners) names.push_back(name);
  return names;
}

void check_listener_names(const Config& config, const Worker& worker, Report& report) {
  const KeyPath path = path_of(worker, "listeners");
  const auto& names = worker.second.listeners;
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!seen.insert(names[i]).second) {
      report.add(item(path, i), fmt::format("listener {} is named twice", in_quotes(names[i])));
    } else if (!config.listeners.contains(names[i])) {
      const std::string remedy = config.listeners.empty()
                                     ? "add [listeners." + made_name(names[i], "NAME") + "]"
                                     : suggestion(names[i], names_of(config));
      report.add(item(path, i),
                 fmt::format("there is no listener {}; {}", in_quotes(names[i]), remedy));
    }
  }
}

void check_listener_count(const Worker& worker, Report& report) {
  const KeyPath path = path_of(worker, "listeners");
  const std::size_t count = worker.second.listeners.size();
  if (report.mentions(path)) return;
  if (worker.second.handover == HandoverWay::Stdin && count != 1) {
    report.add(path, fmt::format("handover stdin takes exactly one listener, this worker has {}; "
                                 "name one, or use listen-fds",
                                 count));
  } else if (worker.second.handover == HandoverWay::Intercept && count == 0) {
    report.add(path,
               "handover intercept takes a listener, the one that the worker binds; name it, or "
               "use another hand-over");
  } else if (count > kMostListeners) {
    report.add(path,
               fmt::format("{} listeners, a worker can take {} at most", count, kMostListeners));
  }
}

// Signals that cannot be caught, that perch acts on itself, or that say that perch is broken.
bool can_be_forwarded(int signal) {
  static constexpr std::array kNot{SIGKILL, SIGSTOP, SIGTERM, SIGINT,  SIGQUIT,
                                   SIGHUP,  SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS,
                                   SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT};
  return std::ranges::find(kNot, signal) == kNot.end();
}

void check_signals(const Worker& worker, Report& report) {
  const KeyPath path = path_of(worker, "forward_signals");
  for (std::size_t i = 0; i < worker.second.forward_signals.size(); ++i) {
    const int signal = worker.second.forward_signals[i];
    if (can_be_forwarded(signal)) continue;
    report.add(item(path, i),
               fmt::format("{} cannot be forwarded: it cannot be caught, or perch acts on it; "
                           "use SIGUSR1, SIGUSR2 or the like",
                           signal_text(signal)));
  }
}

void check_capabilities(const Worker& worker, Report& report) {
  const auto& names = worker.second.capabilities;
  if (names.size() > 1 && std::ranges::find(names, "all") != names.end()) {
    report.add(path_of(worker, "capabilities"),
               "\"all\" stands alone; remove it, or the other names");
  }
}

void check_restart(const Worker& worker, Report& report) {
  const RestartConfig& restart = worker.second.restart;
  const KeyPath path{"workers", worker.first, "restart", "max_delay"};
  if (restart.max_delay >= restart.delay || report.mentions(path)) return;
  report.add(path, fmt::format("{} is shorter than delay, {}; raise it",
                               duration_text(restart.max_delay), duration_text(restart.delay)));
}

// Below, no program gets as far as its first line.
constexpr std::uint64_t kLeastMemory = 1ULL << 20U;

// Above `high` the kernel slows a worker down and takes back what it can: most never get far.
void check_below_high(const MemoryConfig& memory, const KeyPath& path, Report& report) {
  const auto mark = bytes_of(*memory.recycle_at, memory.max);
  if (!mark || !memory.high || *mark <= *memory.high || report.mentions(path)) return;
  report.add(path, fmt::format("{}{} is above high, {}, where the kernel slows the worker down "
                               "before it is replaced; lower it, or raise high",
                               memory_mark_text(*memory.recycle_at),
                               std::holds_alternative<Percent>(*memory.recycle_at) ? " of max" : "",
                               size_text(*memory.high)));
}

void check_memory(const Worker& worker, Report& report) {
  const MemoryConfig& memory = worker.second.memory;
  const auto path = [&](const char* key) {
    return KeyPath{"workers", worker.first, "memory", key};
  };
  const auto check = [&](const char* key, std::optional<std::uint64_t> bytes) {
    if (!bytes || report.mentions(path(key))) return;
    if (*bytes < kLeastMemory) {
      report.add(path(key), fmt::format("{} is too little for any program; write 1MiB or more",
                                        size_text(*bytes)));
    } else if (memory.max && *bytes > *memory.max) {
      report.add(path(key), fmt::format("{} is above max, {}, and would never be reached; lower it",
                                        size_text(*bytes), size_text(*memory.max)));
    }
  };
  check("max", memory.max);
  check("high", memory.high);
  if (!memory.recycle_at) return;
  check("recycle_at", bytes_of(*memory.recycle_at, std::nullopt));
  check_below_high(memory, path("recycle_at"), report);
}

// Only there does perch see what a worker binds.
void check_readiness(const Worker& worker, Report& report) {
  const bool bound = worker.second.readiness.by == ReadinessBy::Bound;
  if (!bound || worker.second.handover == HandoverWay::Intercept) return;
  if (report.mentions(path_of(worker, "handover"))) return;
  report.add({"workers", worker.first, "readiness", "by"},
             fmt::format("bound goes with handover intercept, and this worker has {}; use notify "
                         "or started",
                         word(worker.second.handover)));
}

void check_worker(const Config& config, const Worker& worker, Report& report) {
  check_command(worker, report);
  check_listener_names(config, worker, report);
  check_listener_count(worker, report);
  check_signals(worker, report);
  check_capabilities(worker, report);
  check_memory(worker, report);
  check_readiness(worker, report);
  check_restart(worker, report);
}

void check_paths(const Config& config, Report& report) {
  std::map<std::string, std::string> owners;
  if (!config.perch.control.empty())
    owners[normal_socket_path(config.perch.control)] = "the control socket";
  if (!config.perch.keeper.empty()) owners[normal_socket_path(config.perch.keeper)] = "the keeper";
  for (const auto& [name, listener] : config.listeners) {
    if (listener.path.empty()) continue;
    const auto [owner, is_new] =
        owners.emplace(normal_socket_path(listener.path), "listener " + in_quotes(name));
    if (is_new) continue;
    report.add({"listeners", name, "path"}, fmt::format("{} is the path of {} too; use another",
                                                        in_quotes(listener.path), owner->second));
  }
}

std::string why_not_shared(const std::string& listener, const Worker& first, HandoverWay second) {
  const bool intercepted =
      first.second.handover == HandoverWay::Intercept || second == HandoverWay::Intercept;
  return fmt::format("listener {} goes to worker {} by {}: {}", in_quotes(listener),
                     in_quotes(first.first), word(first.second.handover),
                     intercepted ? "one that intercept hands over is blocking or not as its worker "
                                   "made its own socket, so no other may have it; use two listeners"
                                 : "one of the two would have it blocking, the other not; use one "
                                   "of both ways for both");
}

// Who takes which listener first, and in which mode.
void check_sharing(const Config& config, Report& report) {
  std::map<std::string, const Worker*> first;
  for (const Worker& worker : config.workers) {
    if (report.mentions(path_of(worker, "handover"))) continue;
    for (const std::string& name : worker.second.listeners) {
      const Worker& other = *first.emplace(name, &worker).first->second;
      const HandoverWay way = worker.second.handover;
      if (&other == &worker || may_share(other.second.handover, way)) continue;
      report.add(path_of(worker, "handover"), why_not_shared(name, other, way));
    }
  }
}

void check_use(const Config& config, Report& report) {
  std::set<std::string> used;
  for (const Worker& worker : config.workers) {
    // An unreadable list may have named any of them.
    if (report.mentions(path_of(worker, "listeners"))) return;
    used.insert(worker.second.listeners.begin(), worker.second.listeners.end());
  }
  for (const auto& [name, listener] : config.listeners) {
    if (used.contains(name)) continue;
    report.add({"listeners", name},
               "no worker takes this listener, its clients would wait for ever; name it in the "
               "listeners of a worker, or remove it");
  }
}

}  // namespace

void validate(const Config& config, Report& report) {
  for (const Worker& worker : config.workers) check_worker(config, worker, report);
  check_paths(config, report);
  check_sharing(config, report);
  if (!config.workers.empty()) {
    check_use(config, report);
  } else if (!report.mentions({"workers"})) {
    report.add({}, "there is no worker; add [workers.NAME] to a file, or give -- COMMAND");
  }
}

}  // namespace perch::config
