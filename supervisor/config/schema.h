// SPDX-License-Identifier: Apache-2.0
// The configuration as perch runs it: plain values, complete (every default filled in) and valid.
// Made by config::load or from the command line; compared by name on reload (config::diff).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/config/memory_mark.h"
#include "supervisor/config/tcp_address.h"

namespace perch::config {

using std::chrono::milliseconds;

enum class HandoverWay { Channel, Intercept, ListenFds, Stdin };
enum class ReadinessBy { Started, Notify, Bound };
enum class RestartWhen { Always, OnFailure, Never };
enum class OnGiveUp { Hold, Exit };
// What follows when the OOM killer took a process below the worker's and not its own.
enum class OnChildOom { Note, Restart };
enum class OnExit { Keep, Unlink };
// Whom clients see as the listener's process (SO_PEERCRED): who called listen() last.
enum class PeerCredentials { Perch, Worker };
enum class LogFormat { Auto, Json, Text };
enum class LogLevel { Debug, Info, Warning, Error };
// How a captured worker's lines appear in perch's output: as they are, "app: line", or as JSON.
enum class CaptureFormat { Raw, Prefix, Json };

struct ListenerConfig {
  std::string path;            // absolute, or "@name" for an abstract socket
  std::optional<mode_t> mode;  // unset: 0777 less perch's umask; the worker may chmod it
  std::string user;            // owner of the socket; name or number; empty: perch's
  std::string group;
  int backlog = 4096;                   // before the cap by net.core.somaxconn
  milliseconds wait_for_owner{30'000};  // how long a live owner is waited for
  OnExit on_exit = OnExit::Keep;
  PeerCredentials peercred = PeerCredentials::Perch;
  bool operator==(const ListenerConfig&) const = default;
};

struct ReadinessConfig {
  ReadinessBy by = ReadinessBy::Started;
  milliseconds timeout{90'000};  // zero: none
  bool operator==(const ReadinessConfig&) const = default;
};

struct RestartConfig {
  RestartWhen policy = RestartWhen::Always;
  unsigned burst = 3;       // consecutive failures that restart at once
  milliseconds delay{100};  // then this, growing by `factor` up to `max_delay`
  double factor = 2.0;
  milliseconds max_delay{5'000};
  double jitter = 0.2;                // each delay is varied by up to this share, 0 to 1
  milliseconds stable_after{30'000};  // readiness that makes the past forgotten
  unsigned attempts = 0;              // consecutive failures until perch gives up; 0: never
  OnGiveUp on_give_up = OnGiveUp::Hold;
  bool operator==(const RestartConfig&) const = default;
};

struct MemoryConfig {
  std::optional<std::uint64_t> max;      // bytes; unset: what the container has
  std::optional<std::uint64_t> high;     // bytes; above, the kernel slows the worker down
  std::optional<MemoryMark> recycle_at;  // of memory that cannot be reclaimed; unset: never
  milliseconds recycle_after{5'000};     // how long above the mark
  bool operator==(const MemoryConfig&) const = default;
};

struct Rlimit {
  int resource = 0;        // RLIMIT_*
  std::uint64_t soft = 0;  // RLIM_INFINITY: unlimited
  std::uint64_t hard = 0;
  bool operator==(const Rlimit&) const = default;
};

struct WorkerConfig {
  std::vector<std::string> command;
  std::vector<std::string> listeners;  // names, in the order of the descriptors
  HandoverWay handover = HandoverWay::ListenFds;
  // With intercept: connects to its own listeners are refused until the worker has bound them, and
  // its TCP listeners get SO_REUSEADDR.
  bool probe_guard = true;
  bool tcp_reuse_address = false;
  bool required = true;
  int stop_signal = 15;
  milliseconds stop_timeout{25'000};  // from the stop request to SIGKILL, the drain included
  std::vector<int> forward_signals{10, 12, 28};  // SIGUSR1, SIGUSR2, SIGWINCH
  std::optional<int> reload_signal;              // sent after perch's own reload
  bool capture = false;  // stdout and stderr pass through perch, which keeps the last lines
  CaptureFormat capture_format = CaptureFormat::Raw;
  unsigned capture_rate = 0;  // lines a second that pass, of each stream; zero: all
  std::string user;           // name or number; empty: perch's own
  std::string group;
  std::string directory;
  std::optional<mode_t> umask;
  std::map<std::string, std::string> environment;  // added to perch's own
  std::vector<std::string> capabilities;  // kept, canonical "cap_net_raw"; {"all"}: as perch has
  std::vector<Rlimit> rlimits;
  OnChildOom on_child_oom = OnChildOom::Note;
  std::optional<unsigned> pids_max;    // processes and threads of its tree
  std::optional<unsigned> cpu_weight;  // 1 to 10000 against its neighbours, who have 100
  MemoryConfig memory;
  ReadinessConfig readiness;
  RestartConfig restart;
  bool operator==(const WorkerConfig&) const = default;
};

struct PerchConfig {
  std::string control;             // path of the control socket; empty: none
  bool control_is_default = true;  // not named by the user: an unwritable place is no warning
  // Who may look, and who may also change things, beside root and perch's own user: "user:NAME" or
  // "group:NAME", names or numbers.
  std::vector<std::string> readers;
  std::vector<std::string> operators;
  std::string keeper;              // the socket of a `perch keep`; empty: none
  std::optional<TcpAddress> http;  // /livez, /readyz and /metrics
  bool reload_on_change = false;   // of the file
  LogLevel log_level = LogLevel::Info;
  LogFormat log_format = LogFormat::Auto;
  bool operator==(const PerchConfig&) const = default;
};

struct Config {
  PerchConfig perch;
  std::map<std::string, ListenerConfig> listeners;
  std::map<std::string, WorkerConfig> workers;
  bool operator==(const Config&) const = default;
};

}  // namespace perch::config
