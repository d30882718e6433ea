// SPDX-License-Identifier: Apache-2.0
#include "supervisor/journal.h"

#include <utility>

namespace perch {
namespace {

// Whatever is logged, a command that cannot be run is somebody's mistake.
bool is_mistake(const control::Event& event) {
  return event.death && event.death->cause == lifecycle::Cause::ExecFailed;
}

}  // namespace

void Journal::record(control::Event event) {
  switch (event.type) {
    case control::Event::Type::ReloadRefused:
      log_.error("{}", event.message);
      break;
    case control::Event::Type::OomInTree:
    case control::Event::Type::ListenerHealed:
    case control::Event::Type::ListenerDisplaced:
    case control::Event::Type::ListenerRebound:
    case control::Event::Type::ListenerReclaimed:
    case control::Event::Type::ListenerLost:
      log_.warn("{}", event.message);
      break;
    case control::Event::Type::WorkerDeath:
      is_mistake(event) ? log_.error("{}", event.message) : log_.info("{}", event.message);
      break;
    case control::Event::Type::PerchStarted:
    case control::Event::Type::PerchStopping:
    case control::Event::Type::WorkerState:
    case control::Event::Type::WorkerAdded:
    case control::Event::Type::WorkerRemoved:
    case control::Event::Type::ListenerClaimed:
    case control::Event::Type::ListenerRetired:
    case control::Event::Type::BacklogRestored:
    case control::Event::Type::Reloaded:
      log_.info("{}", event.message);
      break;
  }
  events_.add(std::move(event));
}

}  // namespace perch
