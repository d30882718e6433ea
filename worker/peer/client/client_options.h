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
  static CLI::App* add_task_command(CLI::App& app, TaskOptions& options, const char* name,
                                    const char* purpose);
  static void add_task(CLI::App& command, TaskOptions& options);

  GetOptions get_options_;
  // One a command: CLI11 gives each what the environment says, whichever was chosen.
  TaskOptions stat_options_;
  TaskOptions list_options_;
  TaskOptions remove_options_;
  bool json_ = false;
  CLI::App* get_;
  CLI::App* stat_;
  CLI::App* list_;
  CLI::App* remove_;
};

}  // namespace perch::peer
