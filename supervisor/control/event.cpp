// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/event.h"

#include <nlohmann/json.hpp>

#include "common/value/text.h"
#include "supervisor/control/status_json.h"

namespace perch::control {

std::string_view name(Event::Type type) {
  switch (type) {
    case Event::Type::PerchStarted:
      return "perch-started";
    case Event::Type::PerchStopping:
      return "perch-stopping";
    case Event::Type::WorkerState:
      return "worker-state";
    case Event::Type::WorkerDeath:
      return "worker-death";
    case Event::Type::OomInTree:
      return "oom-in-tree";
    case Event::Type::WorkerAdded:
      return "worker-added";
    case Event::Type::WorkerRemoved:
      return "worker-removed";
    case Event::Type::ListenerClaimed:
      return "listener-claimed";
    case Event::Type::ListenerRetired:
      return "listener-retired";
    case Event::Type::ListenerHealed:
      return "listener-healed";
    case Event::Type::ListenerDisplaced:
      return "listener-displaced";
    case Event::Type::ListenerRebound:
      return "listener-rebound";
    case Event::Type::ListenerReclaimed:
      return "listener-reclaimed";
    case Event::Type::ListenerLost:
      return "listener-lost";
    case Event::Type::BacklogRestored:
      return "backlog-restored";
    case Event::Type::Reloaded:
      return "reloaded";
    case Event::Type::ReloadRefused:
      return "reload-refused";
  }
  return "unknown";
}

std::string to_json(const Event& event) {
  nlohmann::ordered_json line{
      {"id", event.id}, {"at", rfc3339(event.at)}, {"type", name(event.type)}};
  if (!event.worker.empty()) line["worker"] = event.worker;
  if (event.generation != 0) line["generation"] = event.generation;
  if (!event.listener.empty()) line["listener"] = event.listener;
  if (event.change) {
    line["from"] = event.change->from;
    line["to"] = event.change->to;
    line["why"] = event.change->why;
  }
  if (event.death) line["death"] = death_json(*event.death);
  line["message"] = event.message;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace perch::control
