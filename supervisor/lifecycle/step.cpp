// SPDX-License-Identifier: Apache-2.0
#include "supervisor/lifecycle/step.h"

namespace perch::lifecycle {
namespace {

Step spawn() { return {Starting{}, {Action::Spawn}}; }

// A generation ended and nobody had asked it to: the restart policy decides.
Step ended(const Facts& facts) {
  switch (facts.verdict) {
    case Verdict::RestartNow:
      return spawn();
    case Verdict::RestartLater:
      return {Backoff{}, {}};
    case Verdict::GiveUp:
      return {Failed{}, {Action::ReportGiveUp}};
    case Verdict::Rest:
      return {Idle{Rest::ByPolicy}, {Action::ReportRest}};
  }
  return spawn();
}

Step ended_by_us(StopReason why, const Facts& facts) {
  switch (why) {
    case StopReason::Requested:
      return {Idle{}, {}};
    case StopReason::Restart:
      return spawn();
    case StopReason::None:
    case StopReason::NeverReady:
    case StopReason::Watchdog:
    case StopReason::Probe:
    case StopReason::MemoryHigh:
    case StopReason::ChildOom:
      return ended(facts);
  }
  return ended(facts);
}

Step ask_to_stop(StopReason why) { return {Stopping{why}, {Action::SendStopSignal}}; }
Step kill(StopReason why) { return {Stopping{why, Force::Killed}, {Action::KillTree}}; }

// A worker that serves is let finish first, where it knows how.
Step ask_to_finish(StopReason why, const Facts& facts) {
  if (facts.drain == DrainSupport::Yes) return {Draining{why}, {Action::SendDrain}};
  return ask_to_stop(why);
}

// A stop is under way for `why` and somebody wants the worker to run.
StopReason run_again(StopReason why) {
  return why == StopReason::Requested ? StopReason::Restart : why;
}

Step on(const Idle& state, Event event, const Facts& /*facts*/) {
  switch (event) {
    case Event::StartRequested:
    case Event::RestartRequested:
      return spawn();
    case Event::StopRequested:
    case Event::KillRequested:
      return {Idle{Rest::Requested}, {}};
    case Event::Spawned:
    case Event::SpawnFailed:
    case Event::BecameReady:
    case Event::LeftProcesses:
    case Event::Died:
    case Event::DeadlinePassed:
    case Event::WatchdogExpired:
    case Event::ProbeFailed:
    case Event::MemoryHigh:
    case Event::ChildOomKilled:
    case Event::BackoffOver:
      break;
  }
  return {state, {}};
}

Step on(const Starting& state, Event event, const Facts& facts) {
  switch (event) {
    case Event::SpawnFailed:
    case Event::Died:
      return ended(facts);
    case Event::BecameReady:
      return {Ready{}, {}};
    case Event::LeftProcesses:
      return kill(StopReason::None);
    case Event::StopRequested:
      return ask_to_stop(StopReason::Requested);
    case Event::RestartRequested:
      return ask_to_stop(StopReason::Restart);
    case Event::KillRequested:
      return kill(StopReason::Requested);
    case Event::DeadlinePassed:
      return ask_to_stop(StopReason::NeverReady);
    case Event::WatchdogExpired:
      return kill(StopReason::Watchdog);
    case Event::MemoryHigh:
      return ask_to_stop(StopReason::MemoryHigh);
    case Event::ChildOomKilled:
      return ask_to_stop(StopReason::ChildOom);
    case Event::StartRequested:
    case Event::Spawned:
    case Event::ProbeFailed:
    case Event::BackoffOver:
      break;
  }
  return {state, {}};
}

Step on(const Ready& state, Event event, const Facts& facts) {
  switch (event) {
    case Event::Died:
      return ended(facts);
    case Event::LeftProcesses:
      return kill(StopReason::None);
    case Event::StopRequested:
      return ask_to_finish(StopReason::Requested, facts);
    case Event::RestartRequested:
      return ask_to_finish(StopReason::Restart, facts);
    case Event::MemoryHigh:
      return ask_to_finish(StopReason::MemoryHigh, facts);
    case Event::ChildOomKilled:
      return ask_to_finish(StopReason::ChildOom, facts);
    case Event::KillRequested:
      return kill(StopReason::Requested);
    case Event::WatchdogExpired:
      return kill(StopReason::Watchdog);
    case Event::ProbeFailed:
      return ask_to_stop(StopReason::Probe);
    case Event::StartRequested:
    case Event::Spawned:
    case Event::SpawnFailed:
    case Event::BecameReady:
    case Event::DeadlinePassed:
    case Event::BackoffOver:
      break;
  }
  return {state, {}};
}

Step on(const Draining& state, Event event, const Facts& facts) {
  switch (event) {
    case Event::Died:
      return ended_by_us(state.why, facts);
    case Event::LeftProcesses:
      return kill(state.why);
    case Event::DeadlinePassed:
      return ask_to_stop(state.why);
    case Event::StopRequested:
      return {Draining{StopReason::Requested}, {}};
    case Event::StartRequested:
      return {Draining{run_again(state.why)}, {}};
    case Event::RestartRequested:
      return {Draining{StopReason::Restart}, {}};
    case Event::KillRequested:
      return kill(StopReason::Requested);
    case Event::WatchdogExpired:
      return kill(state.why);
    case Event::Spawned:
    case Event::SpawnFailed:
    case Event::BecameReady:
    case Event::ProbeFailed:
    case Event::MemoryHigh:
    case Event::ChildOomKilled:
    case Event::BackoffOver:
      break;
  }
  return {state, {}};
}

Step press(const Stopping& state) {
  switch (state.force) {
    case Force::Asked:
      return kill(state.why);
    case Force::Killed:
      return {Stopping{state.why, Force::Stuck}, {Action::ReportStuck}};
    case Force::Stuck:
      break;
  }
  return {state, {}};
}

Step on(const Stopping& state, Event event, const Facts& facts) {
  switch (event) {
    case Event::Died:
      return ended_by_us(state.why, facts);
    case Event::LeftProcesses:
      return state.force == Force::Asked ? kill(state.why) : Step{state, {}};
    case Event::DeadlinePassed:
      return press(state);
    case Event::StopRequested:
      return {Stopping{StopReason::Requested, state.force}, {}};
    case Event::StartRequested:
      return {Stopping{run_again(state.why), state.force}, {}};
    case Event::RestartRequested:
      return {Stopping{StopReason::Restart, state.force}, {}};
    case Event::KillRequested:
      return kill(StopReason::Requested);
    case Event::WatchdogExpired:
    case Event::Spawned:
    case Event::SpawnFailed:
    case Event::BecameReady:
    case Event::ProbeFailed:
    case Event::MemoryHigh:
    case Event::ChildOomKilled:
    case Event::BackoffOver:
      break;
  }
  return {state, {}};
}

// Backoff and Failed differ in one thing: only the first ends by itself.
template <class Waiting>
Step on_waiting(const Waiting& state, Event event) {
  switch (event) {
    case Event::StartRequested:
    case Event::RestartRequested:
      return spawn();
    case Event::StopRequested:
    case Event::KillRequested:
      return {Idle{}, {}};
    case Event::BackoffOver:
      return std::is_same_v<Waiting, Backoff> ? spawn() : Step{state, {}};
    case Event::Spawned:
    case Event::SpawnFailed:
    case Event::BecameReady:
    case Event::LeftProcesses:
    case Event::Died:
    case Event::DeadlinePassed:
    case Event::WatchdogExpired:
    case Event::ProbeFailed:
    case Event::MemoryHigh:
    case Event::ChildOomKilled:
      break;
  }
  return {state, {}};
}

Step on(const Backoff& state, Event event, const Facts& /*facts*/) {
  return on_waiting(state, event);
}
Step on(const Failed& state, Event event, const Facts& /*facts*/) {
  return on_waiting(state, event);
}

struct NameOf {
  std::string_view operator()(const Idle&) const { return "idle"; }
  std::string_view operator()(const Starting&) const { return "starting"; }
  std::string_view operator()(const Ready&) const { return "ready"; }
  std::string_view operator()(const Draining&) const { return "draining"; }
  std::string_view operator()(const Stopping&) const { return "stopping"; }
  std::string_view operator()(const Backoff&) const { return "backoff"; }
  std::string_view operator()(const Failed&) const { return "failed"; }
};

}  // namespace

Step step(const State& state, Event event, const Facts& facts) {
  return std::visit([&](const auto& now) { return on(now, event, facts); }, state);
}

std::string_view name(const State& state) { return std::visit(NameOf{}, state); }

std::string_view name(Event event) {
  switch (event) {
    case Event::StartRequested:
      return "start requested";
    case Event::RestartRequested:
      return "restart requested";
    case Event::StopRequested:
      return "stop requested";
    case Event::KillRequested:
      return "kill requested";
    case Event::Spawned:
      return "spawned";
    case Event::SpawnFailed:
      return "spawn failed";
    case Event::BecameReady:
      return "became ready";
    case Event::LeftProcesses:
      return "left processes behind";
    case Event::Died:
      return "died";
    case Event::DeadlinePassed:
      return "deadline passed";
    case Event::WatchdogExpired:
      return "watchdog expired";
    case Event::ProbeFailed:
      return "probe failed";
    case Event::MemoryHigh:
      return "memory high";
    case Event::ChildOomKilled:
      return "child oom-killed";
    case Event::BackoffOver:
      return "backoff over";
  }
  return "unknown";
}

StopReason stop_reason(const State& state) {
  if (const auto* draining = std::get_if<Draining>(&state)) return draining->why;
  if (const auto* stopping = std::get_if<Stopping>(&state)) return stopping->why;
  return StopReason::None;
}

}  // namespace perch::lifecycle
