// SPDX-License-Identifier: Apache-2.0
// The control socket: HTTP/1.1 over a Unix socket, for people, probes and scripts. It answers from
// what the ControlTarget says and never blocks. The kernel says who a client is, and Access what
// he may ask, whatever the socket's mode has become; routes.cpp has the table of requests.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/http_server.h"
#include "common/loop/loop.h"
#include "common/value/error.h"
#include "supervisor/control/access.h"
#include "supervisor/control/event_log.h"
#include "supervisor/control/status.h"

namespace perch::control {

enum class WorkerAction { Start, Stop, Restart };

// An action is under way: what follows are events with ids above `since`.
struct ActionBegun {
  std::uint64_t since = 0;
  std::uint64_t generation = 0;  // the one that lives or lived when it was asked for
  std::string_view state;        // right after it
};
struct ActionRefused {
  enum class Why { UnknownWorker, NotNow } why;
  std::string text;  // one line, with the remedy
};

// What the supervisor lets others see and ask; outlives the server.
class ControlTarget {
 public:
  virtual ~ControlTarget() = default;
  virtual Status status() = 0;
  // The names of required workers that are not ready; empty: ready.
  virtual std::vector<std::string> not_ready() = 0;
  // Loads, validates and applies the configuration; the error says why nothing changed. Must not
  // destroy the server that asks.
  virtual Result<void> reload() = 0;
  virtual std::expected<ActionBegun, ActionRefused> act(const std::string& worker,
                                                        WorkerAction action) = 0;
  // The running configuration as a file, every default filled in. It may hold secrets (a worker's
  // environment): for operators only.
  virtual std::string config_file() = 0;
  virtual EventLog& events() = 0;
};

class ControlServer {
 public:
  // Takes the path over from a dead perch, never from a live one (listener::claim). The last
  // directory of the path is made where it is missing. The socket goes with the server.
  static Result<std::unique_ptr<ControlServer>> open(Loop& loop, const std::string& path,
                                                     ControlTarget& target, Access access,
                                                     const HttpLimits& limits = {});
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // In force for requests from now on, those of open connections too; who follows events has to
  // ask anew. An error: the rules are in force, the socket's mode is as before.
  Result<void> set_access(Access access);

 private:
  struct State;
  explicit ControlServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace perch::control
