// SPDX-License-Identifier: Apache-2.0
// Keeper: `perch keep`. It keeps a perch's listeners, with their locks, so that they outlive it:
// clients wait in the backlog until the next perch has fetched them. Beside that it may be the
// parent of the perch it serves. Small on purpose: what must not die should have little to do.
#pragma once

#include <sys/resource.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/value/error.h"
#include "supervisor/keeper/charge.h"
#include "supervisor/keeper/server.h"
#include "supervisor/log.h"
#include "supervisor/process/reaper.h"
#include "supervisor/process/spawn.h"

namespace perch::keeper {

struct KeeperOptions {
  ServerOptions server;
  std::vector<std::string> command{};  // to be run and restarted; empty: none
  rlimit nofile{};                     // the command's
  int oom_score = 0;                   // the command's
};

class Keeper {
 public:
  static Result<std::unique_ptr<Keeper>> create(Loop& loop, Log& log, KeeperOptions options);

  // The command, if there is one. The loop is stopped when the keeper is to end.
  void start();
  // One that came from outside: what ends a program ends the keeper, after its command.
  void on_signal(int number);
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

 private:
  Keeper(Loop& loop, Log& log);
  void end(int exit_code);

  Loop& loop_;
  Log& log_;
  std::unique_ptr<KeepServer> server_;
  std::optional<process::Spawner> spawner_;
  std::optional<process::Reaper> reaper_;
  std::optional<Charge> charge_;
  int exit_code_ = 0;
};

}  // namespace perch::keeper
