// SPDX-License-Identifier: Apache-2.0
// The whole table of the state machine: every state against every event. What is not in the table
// must change nothing.
#include "supervisor/lifecycle/step.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace perch::lifecycle {
namespace {

using enum Event;

constexpr std::array kAllEvents{StartRequested, RestartRequested, StopRequested,   KillRequested,
                                Spawned,        SpawnFailed,      BecameReady,     LeftProcesses,
                                Died,           DeadlinePassed,   WatchdogExpired, ProbeFailed,
                                MemoryHigh,     ChildOomKilled,   BackoffOver};
static_assert(kAllEvents.back() == BackoffOver && kAllEvents.size() == 15);

const State kIdle = Idle{};
const State kRests = Idle{Rest::ByPolicy};
const State kStarting = Starting{};
const State kReady = Ready{};
const State kBackoff = Backoff{};
const State kFailed = Failed{};

State draining(StopReason why) { return Draining{why}; }
State stopping(StopReason why, Force force = Force::Asked) { return Stopping{why, force}; }

std::vector<State> all_states() {
  std::vector<State> states{kIdle, kRests, kStarting, kReady, kBackoff, kFailed};
  for (const StopReason why :
       {StopReason::Requested, StopReason::Restart, StopReason::NeverReady, StopReason::Watchdog,
        StopReason::Probe, StopReason::MemoryHigh, StopReason::ChildOom}) {
    states.push_back(draining(why));
    for (const Force force : {Force::Asked, Force::Killed, Force::Stuck}) {
      states.push_back(stopping(why, force));
    }
  }
  states.push_back(stopping(StopReason::None, Force::Killed));
  states.push_back(stopping(StopReason::None, Force::Stuck));
  return states;
}

std::vector<Facts> all_facts() {
  std::vector<Facts> facts;
  for (const Verdict verdict :
       {Verdict::RestartNow, Verdict::RestartLater, Verdict::GiveUp, Verdict::Rest}) {
    facts.push_back({verdict, DrainSupport::No});
    facts.push_back({verdict, DrainSupport::Yes});
  }
  return facts;
}

struct Row {
  State from;
  Event event;
  State to;
  std::vector<Action> actions;
  std::optional<DrainSupport> drain;  // only with this fact; unset: whatever it is
};

const std::vector<Action> kNothing{};
const std::vector<Action> kSpawn{Action::Spawn};
const std::vector<Action> kSignal{Action::SendStopSignal};
const std::vector<Action> kKill{Action::KillTree};
const std::vector<Action> kDrain{Action::SendDrain};

// Rows whose outcome does not hang on the verdict.
std::vector<Row> fixed_rows() {
  constexpr auto kRequested = StopReason::Requested;
  constexpr auto kRestart = StopReason::Restart;
  std::vector<Row> rows{
      {kIdle, StartRequested, kStarting, kSpawn, {}},
      {kIdle, RestartRequested, kStarting, kSpawn, {}},
      {kRests, StartRequested, kStarting, kSpawn, {}},
      {kRests, RestartRequested, kStarting, kSpawn, {}},
      {kRests, StopRequested, kIdle, kNothing, {}},
      {kRests, KillRequested, kIdle, kNothing, {}},
      {kBackoff, StartRequested, kStarting, kSpawn, {}},
      {kBackoff, RestartRequested, kStarting, kSpawn, {}},
      {kBackoff, BackoffOver, kStarting, kSpawn, {}},
      {kBackoff, StopRequested, kIdle, kNothing, {}},
      {kBackoff, KillRequested, kIdle, kNothing, {}},
      {kFailed, StartRequested, kStarting, kSpawn, {}},
      {kFailed, RestartRequested, kStarting, kSpawn, {}},
      {kFailed, StopRequested, kIdle, kNothing, {}},
      {kFailed, KillRequested, kIdle, kNothing, {}},

      {kStarting, BecameReady, kReady, kNothing, {}},
      {kStarting, LeftProcesses, stopping(StopReason::None, Force::Killed), kKill, {}},
      {kStarting, StopRequested, stopping(kRequested), kSignal, {}},
      {kStarting, RestartRequested, stopping(kRestart), kSignal, {}},
      {kStarting, KillRequested, stopping(kRequested, Force::Killed), kKill, {}},
      {kStarting, DeadlinePassed, stopping(StopReason::NeverReady), kSignal, {}},
      {kStarting, WatchdogExpired, stopping(StopReason::Watchdog, Force::Killed), kKill, {}},
      {kStarting, MemoryHigh, stopping(StopReason::MemoryHigh), kSignal, {}},
      {kStarting, ChildOomKilled, stopping(StopReason::ChildOom), kSignal, {}},

      {kReady, LeftProcesses, stopping(StopReason::None, Force::Killed), kKill, {}},
      {kReady, StopRequested, stopping(kRequested), kSignal, DrainSupport::No},
      {kReady, StopRequested, draining(kRequested), kDrain, DrainSupport::Yes},
      {kReady, RestartRequested, stopping(kRestart), kSignal, DrainSupport::No},
      {kReady, RestartRequested, draining(kRestart), kDrain, DrainSupport::Yes},
      {kReady, MemoryHigh, stopping(StopReason::MemoryHigh), kSignal, DrainSupport::No},
      {kReady, MemoryHigh, draining(StopReason::MemoryHigh), kDrain, DrainSupport::Yes},
      {kReady, ChildOomKilled, stopping(StopReason::ChildOom), kSignal, DrainSupport::No},
      {kReady, ChildOomKilled, draining(StopReason::ChildOom), kDrain, DrainSupport::Yes},
      {kReady, KillRequested, stopping(kRequested, Force::Killed), kKill, {}},
      {kReady, WatchdogExpired, stopping(StopReason::Watchdog, Force::Killed), kKill, {}},
      {kReady, ProbeFailed, stopping(StopReason::Probe), kSignal, {}},
  };
  for (const State& state : all_states()) {
    const StopReason why = stop_reason(state);
    const StopReason again = why == kRequested ? kRestart : why;
    if (std::holds_alternative<Draining>(state)) {
      rows.push_back({state, LeftProcesses, stopping(why, Force::Killed), kKill, {}});
      rows.push_back({state, DeadlinePassed, stopping(why), kSignal, {}});
      rows.push_back({state, StopRequested, draining(kRequested), kNothing, {}});
      rows.push_back({state, StartRequested, draining(again), kNothing, {}});
      rows.push_back({state, RestartRequested, draining(kRestart), kNothing, {}});
      rows.push_back({state, KillRequested, stopping(kRequested, Force::Killed), kKill, {}});
      rows.push_back({state, WatchdogExpired, stopping(why, Force::Killed), kKill, {}});
    }
    if (const auto* now = std::get_if<Stopping>(&state)) {
      const Force force = now->force;
      rows.push_back({state, StopRequested, stopping(kRequested, force), kNothing, {}});
      rows.push_back({state, StartRequested, stopping(again, force), kNothing, {}});
      rows.push_back({state, RestartRequested, stopping(kRestart, force), kNothing, {}});
      rows.push_back({state, KillRequested, stopping(kRequested, Force::Killed), kKill, {}});
      if (force == Force::Asked) {
        rows.push_back({state, LeftProcesses, stopping(why, Force::Killed), kKill, {}});
        rows.push_back({state, DeadlinePassed, stopping(why, Force::Killed), kKill, {}});
      }
      if (force == Force::Killed) {
        rows.push_back(
            {state, DeadlinePassed, stopping(why, Force::Stuck), {Action::ReportStuck}, {}});
      }
    }
  }
  return rows;
}

// What an end by itself leads to.
Step by_verdict(Verdict verdict) {
  switch (verdict) {
    case Verdict::RestartNow:
      return {kStarting, kSpawn};
    case Verdict::RestartLater:
      return {kBackoff, kNothing};
    case Verdict::GiveUp:
      return {kFailed, {Action::ReportGiveUp}};
    case Verdict::Rest:
      return {kRests, {Action::ReportRest}};
  }
  return {kIdle, kNothing};
}

std::optional<Step> expected_end(const State& state, Event event, const Facts& facts) {
  const bool failed_spawn = event == SpawnFailed && state == kStarting;
  const bool runs = state != kIdle && state != kRests && state != kBackoff && state != kFailed;
  if (!failed_spawn && !(event == Died && runs)) return std::nullopt;
  switch (stop_reason(state)) {
    case StopReason::Requested:
      return Step{kIdle, kNothing};
    case StopReason::Restart:
      return Step{kStarting, kSpawn};
    default:
      return by_verdict(facts.verdict);
  }
}

Step expected(const State& state, Event event, const Facts& facts) {
  if (const auto end = expected_end(state, event, facts)) return *end;
  for (const Row& row : fixed_rows()) {
    const bool fits = !row.drain || *row.drain == facts.drain;
    if (row.from == state && row.event == event && fits) return {row.to, row.actions};
  }
  return {state, kNothing};
}

}  // namespace

TEST_CASE("every state answers every event as the table says, and ignores what is not in it") {
  for (const State& state : all_states()) {
    for (const Event event : kAllEvents) {
      for (const Facts& facts : all_facts()) {
        const Step wanted = expected(state, event, facts);
        const Step got = step(state, event, facts);
        CAPTURE(std::string(name(state)));
        CAPTURE(std::string(name(event)));
        CHECK(got.next == wanted.next);
        CHECK(got.actions == wanted.actions);
      }
    }
  }
}

TEST_CASE("a generation is spawned exactly when Starting begins") {
  for (const State& state : all_states()) {
    for (const Event event : kAllEvents) {
      for (const Facts& facts : all_facts()) {
        const Step next = step(state, event, facts);
        const bool spawns = std::ranges::count(next.actions, Action::Spawn) == 1;
        const bool stayed = state == kStarting && next.actions.empty();
        CHECK((!spawns || next.next == kStarting));
        CHECK((next.next != kStarting || spawns || stayed));
      }
    }
  }
}

TEST_CASE("a worker that was asked to stop never comes back by itself") {
  for (const State& state : {draining(StopReason::Requested), stopping(StopReason::Requested)}) {
    for (const Facts& facts : all_facts()) CHECK(step(state, Died, facts).next == kIdle);
  }
}

TEST_CASE("a restart with a new configuration is not lost in a stop for another reason") {
  const Facts given_up{Verdict::GiveUp, DrainSupport::No};
  for (const State& state : {draining(StopReason::MemoryHigh), stopping(StopReason::NeverReady),
                             stopping(StopReason::None, Force::Killed)}) {
    const State next = step(state, RestartRequested, given_up).next;
    CHECK(step(next, Died, given_up).next == kStarting);
  }
}

TEST_CASE("from every state a kill request and a death lead to rest") {
  for (const State& state : all_states()) {
    const State killed = step(state, KillRequested, {}).next;
    CHECK(step(killed, Died, {}).next == kIdle);
  }
}

TEST_CASE("deadlines press a stop on, from asking to killing to saying that it is stuck") {
  State state = draining(StopReason::Requested);
  for (const auto force : {Force::Asked, Force::Killed, Force::Stuck}) {
    state = step(state, DeadlinePassed, {}).next;
    CHECK(state == stopping(StopReason::Requested, force));
  }
  CHECK(step(state, DeadlinePassed, {}).next == state);
}

}  // namespace perch::lifecycle
