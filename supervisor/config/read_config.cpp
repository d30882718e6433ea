// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/read_config.h"

#include <sys/resource.h>

#include <array>
#include <climits>

#include "supervisor/config/capability_names.h"
#include "supervisor/config/names.h"
#include "supervisor/config/nearest.h"
#include "supervisor/config/rlimit_names.h"
#include "supervisor/config/table_reader.h"

namespace perch::config {
namespace {

// Keys the design has, which this build has not yet.
constexpr auto kLaterListenerKeys = std::to_array<std::string_view>({"hold_for"});
constexpr auto kLaterWorkerKeys =
    std::to_array<std::string_view>({"kill_timeout", "watchdog", "instances"});

constexpr Range<unsigned> kAnyCount{0, 1'000'000};

// "" is none.
Parsed<std::optional<TcpAddress>> parse_http_address(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return parse_tcp_address(text);
}
constexpr Unit<std::optional<TcpAddress>> kHttpAddress{"an address such as \"127.0.0.1:9480\"",
                                                       parse_http_address};

void read_perch(TableReader table, PerchConfig& into) {
  into.control_is_default = !table.has("control");
  table.read("control", into.control, kControlPath);
  table.read("log_level", into.log_level, kLogLevels);
  table.read("log_format", into.log_format, kLogFormats);
  table.read("readers", into.readers, kAccessRule);
  table.read("operators", into.operators, kAccessRule);
  table.read("http", into.http, kHttpAddress);
  table.read("reload_on_change", into.reload_on_change);
  table.read("keeper", into.keeper, kKeeperPath);
  table.refuse_others();
}

void read_listener(TableReader table, ListenerConfig& into) {
  table.require("path", "path = \"/run/...\"");
  table.read("path", into.path, kSocketPath);
  table.read("mode", into.mode, kMode);
  table.read("user", into.user, kAccount);
  table.read("group", into.group, kAccount);
  table.read("backlog", into.backlog, {1, INT_MAX});
  table.read("wait_for_owner", into.wait_for_owner, kDuration);
  table.read("on_exit", into.on_exit, kOnExits);
  table.read("peercred", into.peercred, kPeerCredentials);
  table.refuse_others(kLaterListenerKeys);
}

void read_readiness(TableReader table, ReadinessConfig& into) {
  table.read("by", into.by, kReadinessBys, kLaterReadinessBys);
  table.read("timeout", into.timeout, kDuration);
  table.refuse_others();
}

void read_restart(TableReader table, RestartConfig& into) {
  table.read("policy", into.policy, kRestartWhens);
  table.read("burst", into.burst, kAnyCount);
  table.read("delay", into.delay, kDuration);
  table.read("factor", into.factor, {1, 1000});
  table.read("max_delay", into.max_delay, kDuration);
  table.read("jitter", into.jitter, {0, 1});
  table.read("stable_after", into.stable_after, kDuration);
  table.read("attempts", into.attempts, kAnyCount);
  table.read("on_give_up", into.on_give_up, kOnGiveUps);
  table.refuse_others();
}

void read_memory(TableReader table, MemoryConfig& into) {
  table.read("max", into.max, kSize);
  table.read("high", into.high, kSize);
  table.read("recycle_at", into.recycle_at, kMemoryMark);
  table.read("recycle_after", into.recycle_after, kDuration);
  table.refuse_others();
}

void read_environment(TableReader table, std::map<std::string, std::string>& into) {
  for (const std::string& name : table.keys()) {
    if (auto problem = problem_with_variable(name); !problem.empty()) {
      table.report().add_key(table.below(name), problem);
    } else {
      table.read(name, into[name]);
    }
  }
}

// 65536, "64MiB" or "unlimited".
Parsed<std::uint64_t> limit_in(const Node& node) {
  if (const auto* const number = std::get_if<std::int64_t>(&node.value)) {
    if (*number >= 0) return static_cast<std::uint64_t>(*number);
    return std::unexpected("a limit cannot be negative; use \"unlimited\"");
  }
  const auto* const text = std::get_if<std::string>(&node.value);
  if (text != nullptr && *text == "unlimited") return RLIM_INFINITY;
  if (text != nullptr) return parse_size(*text);
  return std::unexpected("expected a number, a size, \"unlimited\", or [soft, hard], found " +
                         std::string(kind_of(node)));
}

// One limit for both, or [soft, hard].
Parsed<Rlimit> rlimit_in(const Node& node, int resource) {
  const auto* const both = std::get_if<Array>(&node.value);
  if (both != nullptr && both->size() != 2) {
    return std::unexpected("expected two limits, [soft, hard]");
  }
  const auto soft = limit_in(both == nullptr ? node : both->front());
  if (!soft) return std::unexpected(soft.error());
  const auto hard = limit_in(both == nullptr ? node : both->back());
  if (!hard) return std::unexpected(hard.error());
  if (*soft > *hard) return std::unexpected("the soft limit is above the hard one; swap them");
  return Rlimit{.resource = resource, .soft = *soft, .hard = *hard};
}

void read_rlimits(TableReader table, std::vector<Rlimit>& into) {
  for (const RlimitName& known : kRlimitNames) {
    const Node* const node = table.take(known.name);
    if (node == nullptr) continue;
    if (const auto limit = rlimit_in(*node, known.resource)) {
      into.push_back(*limit);
    } else {
      table.report().add(table.below(known.name), limit.error());
    }
  }
  table.refuse_others();
}

ReadinessBy default_readiness(HandoverWay way) {
  switch (way) {
    case HandoverWay::Channel:
      return ReadinessBy::Notify;
    case HandoverWay::Intercept:
      return ReadinessBy::Bound;
    case HandoverWay::ListenFds:
    case HandoverWay::Stdin:
      return ReadinessBy::Started;
  }
  return ReadinessBy::Started;
}

void read_process(TableReader& table, WorkerConfig& into) {
  table.read("user", into.user, kAccount);
  table.read("group", into.group, kAccount);
  table.read("directory", into.directory, kDirectory);
  table.read("umask", into.umask, kMode);
  read_environment(table.table("environment"), into.environment);
  table.read("capabilities", into.capabilities, kCapability);
  read_rlimits(table.table("rlimits"), into.rlimits);
}

// The most processes that Linux can have.
constexpr unsigned kMostPids = 4'194'304;

void read_resources(TableReader& table, WorkerConfig& into) {
  table.read("on_child_oom", into.on_child_oom, kOnChildOoms);
  table.read("pids_max", into.pids_max, {1, kMostPids});
  table.read("cpu_weight", into.cpu_weight, {1, 10'000});
  read_memory(table.table("memory"), into.memory);
}

void read_worker(TableReader table, WorkerConfig& into) {
  table.require("command", "command = [\"/usr/bin/...\"]");
  table.read("command", into.command, kText);
  table.read("listeners", into.listeners, kText);
  table.read("handover", into.handover, kHandoverWays);
  table.read("probe_guard", into.probe_guard);
  table.read("tcp_reuse_address", into.tcp_reuse_address);
  table.read("required", into.required);
  table.read("stop_signal", into.stop_signal, kSignal);
  table.read("stop_timeout", into.stop_timeout, kDuration);
  table.read("forward_signals", into.forward_signals, kSignal);
  table.read("reload_signal", into.reload_signal, kSignalOrNone);
  table.read("capture", into.capture);
  table.read("capture_format", into.capture_format, kCaptureFormats);
  table.read("capture_rate", into.capture_rate, kAnyCount);
  read_process(table, into);
  read_resources(table, into);
  into.readiness.by = default_readiness(into.handover);
  read_readiness(table.table("readiness"), into.readiness);
  read_restart(table.table("restart"), into.restart);
  table.refuse_others(kLaterWorkerKeys);
}

// A table of named sections: [listeners.NAME], [workers.NAME].
template <class Section>
void read_sections(TableReader table, std::map<std::string, Section>& into,
                   void (*read)(TableReader, Section&)) {
  for (const std::string& name : table.keys()) {
    if (auto problem = problem_with_name(name); !problem.empty()) {
      table.report().add_key(table.below(name), problem);
    }
    const TableReader section = table.table(name);
    if (!section.misplaced()) read(section, into[name]);
  }
}

}  // namespace

Config read_config(const Table& root, Report& report) {
  Config config;
  TableReader table(root, {}, report);
  read_perch(table.table("perch"), config.perch);
  read_sections(table.table("listeners"), config.listeners, read_listener);
  read_sections(table.table("workers"), config.workers, read_worker);
  table.refuse_others();
  return config;
}

}  // namespace perch::config
