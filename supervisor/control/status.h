// SPDX-License-Identifier: Apache-2.0
// The status document: what perch knows of itself at one moment, as plain values, and its JSON form
// (schema 1). Unknown is null; durations are seconds, times RFC 3339 in UTC; every cause is always
// present.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/posix/process_figures.h"
#include "supervisor/control/histogram.h"
#include "supervisor/lifecycle/cause.h"
#include "supervisor/listener/heal_kind.h"

namespace perch::control {

using Seconds = std::chrono::duration<double>;
using WallTime = std::chrono::system_clock::time_point;

struct ReloadStatus {
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
  std::optional<std::string> last_error{};
  std::optional<bool> last_ok{};
  std::optional<WallTime> last_at{};
};

struct OomProtection {
  std::string tier{};    // "a", "a0", "b", "k", "c", "d"
  std::string detail{};  // why this one, and what would give a better one
};

struct KeeperStatus {
  std::string path{};
  bool connected = false;
  std::string trouble{};        // why not, or what it refused last; empty: all is well
  std::uint64_t listeners = 0;  // that it keeps
};

struct PerchStatus {
  std::string version{};
  pid_t pid = 0;
  WallTime started_at{};
  Seconds uptime{};
  std::string config{};  // the file's path; empty: command line alone
  ReloadStatus reloads{};
  OomProtection oom_protection{};
  std::optional<KeeperStatus> keeper{};  // null: none is configured
  std::uint64_t log_dropped = 0;
  ProcessFigures process{};
};

struct ListenerStatus {
  std::string path{};
  std::optional<std::uint64_t> inode{};              // null for abstract names
  std::optional<std::uint32_t> backlog{}, queued{};  // null where there is no sock_diag
  std::string claimed{};                             // "bound", "replaced-stale" or "revived"
  std::string state{"listening"};  // "lost": a live owner has the path; "away": not to be had now
  std::optional<mode_t> mode{};    // as it is now
  bool guarded = false;            // somebody hears when the path is taken away
  bool healable = false;           // there is a spare link
  listener::HealCounts heals{};
  std::uint64_t backlog_restored = 0;  // a worker had made it smaller
  std::optional<Seconds> last_outage{};
};

struct Outage {
  std::optional<Seconds> last{}, p50{}, p99{}, max{};
};

struct InstanceStatus {
  std::optional<pid_t> pid{};
  std::uint64_t generation = 0;
  std::string state{};
  std::optional<WallTime> started_at{}, next_start_at{};
  std::optional<Seconds> uptime{}, next_start_in{};
  std::string status_text{};  // the worker's own STATUS=
  bool stuck = false;         // killed, but some process of it will not die
};

struct DeathRecord {
  std::uint64_t generation = 0;
  WallTime at{};
  lifecycle::Cause cause{};
  std::optional<int> signal{};
  std::optional<int> status{};
  std::string detail{};
  std::optional<std::uint64_t> memory_peak_bytes{};
  std::optional<std::uint64_t> memory_limit_bytes{};
  std::optional<std::uint64_t> max_rss_bytes{};
  Seconds uptime{};
  std::vector<std::string> stderr_tail{};
};

// Of the cgroup that a worker's memory is charged to. What cannot be reclaimed is of this worker
// alone, also where a cgroup counts others with it.
struct Memory {
  std::string cgroup{};  // "own", or "shared" with perch; empty: nobody can say
  std::optional<std::uint64_t> usage_bytes{}, limit_bytes{}, peak_bytes{};
  std::optional<std::uint64_t> nonreclaimable_bytes{}, recycle_at_bytes{};
};

// By what was called; the words stay.
using CallCounts = std::vector<std::pair<std::string_view, std::uint64_t>>;

struct WorkerStatus {
  std::string state{};
  std::string desired{};  // "running" or "stopped"
  bool required = true;
  bool ready = false;
  std::vector<std::string> listeners;
  WallTime since{};
  std::uint64_t starts = 0;
  std::array<std::uint64_t, lifecycle::kAllCauses.size()> deaths{};  // by Cause
  std::uint64_t oom_in_tree = 0;
  std::uint64_t unattributed_orphans = 0;
  std::optional<CallCounts> intercept{};  // what perch answered for it, where the hand-over does
  unsigned consecutive_failures = 0;
  Outage outage{};
  Histogram outages{}, startups{};  // a startup lasts from start to readiness
  Memory memory{};
  std::vector<InstanceStatus> instances{};
  std::vector<DeathRecord> last_deaths{};  // newest first
};

struct Status {
  PerchStatus perch;
  std::map<std::string, ListenerStatus> listeners;
  std::map<std::string, WorkerStatus> workers;
};

// One JSON object, no newline at its end. Bytes that are no UTF-8 are replaced.
std::string to_json(const Status& status);

}  // namespace perch::control
