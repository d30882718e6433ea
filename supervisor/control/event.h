// SPDX-License-Identifier: Apache-2.0
// Event: something that happened to perch, a listener or a worker, as plain values; and its form as
// one line of JSON. Events are numbered from 1 without gaps in the order in which they happened.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/control/status.h"

namespace perch::control {

struct Event {
  enum class Type {
    PerchStarted,   // workers are about to start
    PerchStopping,  // asked to end
    WorkerState,    // `change`
    WorkerDeath,    // `death`
    OomInTree,      // a process below a worker was OOM-killed, the worker goes on
    WorkerAdded,    // by a reload
    WorkerRemoved,
    ListenerClaimed,
    ListenerRetired,
    ListenerHealed,     // the same socket, put right
    ListenerDisplaced,  // the same, and a file that stood at its path was moved aside
    ListenerRebound,    // a new socket: its names were gone
    ListenerReclaimed,  // a new socket: a worker had shut it down
    ListenerLost,       // its path leads elsewhere or nowhere, for now
    BacklogRestored,    // after a worker's listen()
    Reloaded,
    ReloadRefused,
  };
  struct Change {
    std::string_view from;  // names of states; static
    std::string_view to;
    std::string_view why;  // name of the event that moved it; static
  };

  std::uint64_t id = 0;  // given by the EventLog
  WallTime at{};         // likewise
  Type type{};
  std::string worker{};          // empty where it concerns none
  std::uint64_t generation = 0;  // 0 likewise
  std::string listener{};
  std::optional<Change> change{};
  std::optional<DeathRecord> death{};  // without the worker's last words, which status has
  std::string message{};               // one line for people
};

// "worker-state"
std::string_view name(Event::Type type);

// {"id":17,"at":"...","type":"worker-state","worker":"app","generation":3,"from":"ready",
// "to":"starting","why":"died","message":"..."}, no newline at its end; what is absent is left out.
std::string to_json(const Event& event);

}  // namespace perch::control
