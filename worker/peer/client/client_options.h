// SPDX-License-Identifier: Apache-2.0
// The options of the client's commands: get, stat, ls and rm.
#pragma once

#include <CLI/CLI.hpp>

#include "worker/peer/client/get.h"
#include "worker/peer/client/tasks.h"

namespace perch::peer {

class ClientCommands {
 public:
  // Adds the commands; this outlives the parsing.
  explicit ClientCommands(CLI::App& app);
  ClientCommands(const ClientCommands&) = delete;
  ClientCommands& operator=(const ClientCommands&) = delete;

  // Does the one that was chosen; to be called where one was.
  ExitCode run();

 private:
  CLI::App* add_get(CLI::App& app);
  CLI::App* add_task_command(CLI::App& app, const char* name, const char* purpose);
  void add_task(CLI::App& command);

  GetOptions get_options_;
  TaskOptions task_options_;
  bool json_ = false;
  CLI::App* get_;
  CLI::App* stat_;
  CLI::App* list_;
  CLI::App* remove_;
};

}  // namespace perch::peer
