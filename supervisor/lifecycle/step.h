// SPDX-License-Identifier: Apache-2.0
// The life of a worker instance as a pure state machine: step(state, event, facts) says what comes
// next and what to do about it; the supervisor does it. No clock, no descriptor, no log.
//
// Idle      nothing runs and nothing is wanted to: by request, or by the restart policy
// Starting  spawned, or about to be; not ready yet            deadline: readiness.timeout
// Ready     serves
// Draining  was asked to finish what it has, through its channel   deadline: most of stop_timeout
// Stopping  got its stop signal, then SIGKILL; or died by itself and left processes behind
// Backoff   waits for its next start                           deadline: the delay
// Failed    perch gave up on it, by a rule of the user
//
// Every state has at most one deadline, armed on entering it. News that a state does not expect
// (late news of an old life) changes nothing.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "supervisor/lifecycle/backoff.h"
#include "supervisor/lifecycle/cause.h"

namespace perch::lifecycle {

// How hard a stop is being tried. Stuck: killed, and some process of it still will not go.
enum class Force { Asked, Killed, Stuck };

// Why nothing is wanted to run. ByPolicy: it ended, and is not to be restarted.
enum class Rest { Requested, ByPolicy };

struct Idle {
  Rest why = Rest::Requested;
  bool operator==(const Idle&) const = default;
};
struct Starting {
  bool operator==(const Starting&) const = default;
};
struct Ready {
  bool operator==(const Ready&) const = default;
};
struct Draining {
  StopReason why;
  bool operator==(const Draining&) const = default;
};
struct Stopping {
  StopReason why;  // None: it died by itself, its processes are being killed
  Force force = Force::Asked;
  bool operator==(const Stopping&) const = default;
};
struct Backoff {
  bool operator==(const Backoff&) const = default;
};
struct Failed {
  bool operator==(const Failed&) const = default;
};
using State = std::variant<Idle, Starting, Ready, Draining, Stopping, Backoff, Failed>;

enum class Event {
  StartRequested,
  RestartRequested,
  StopRequested,
  KillRequested,  // stop, and do not ask first
  Spawned,
  SpawnFailed,
  BecameReady,
  LeftProcesses,  // the main process is dead, others of its tree are not
  Died,           // the main process is reaped and its whole tree is gone
  DeadlinePassed,
  WatchdogExpired,
  ProbeFailed,
  MemoryHigh,
  ChildOomKilled,  // and the worker is to be restarted for it
  BackoffOver,
};

enum class Action {
  Spawn,
  SendDrain,
  SendStopSignal,
  KillTree,
  ReportStuck,
  ReportRest,
  ReportGiveUp
};

enum class DrainSupport { No, Yes };

struct Facts {
  Verdict verdict = Verdict::RestartNow;  // looked at when a generation has ended
  DrainSupport drain = DrainSupport::No;
};

struct Step {
  State next;
  std::vector<Action> actions;
};

Step step(const State& state, Event event, const Facts& facts);

// "ready", "stopping", ...: as in status and log.
std::string_view name(const State& state);
std::string_view name(Event event);

// Why perch is ending the generation; None unless it is.
StopReason stop_reason(const State& state);

}  // namespace perch::lifecycle
