// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/run_command.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "supervisor/cli/own_process.h"
#include "supervisor/config/load.h"
#include "supervisor/ending.h"
#include "supervisor/log.h"
#include "supervisor/reload_plan.h"
#include "supervisor/supervisor.h"
#include "supervisor/termination_log.h"

namespace perch::cli {
namespace {

Ending refuse(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) fmt::print(stderr, "perch: {}\n", problem.text);
  return {static_cast<int>(ExitCode::Usage), join_problems(problems)};
}

Ending supervise(const RunOptions& options, config::Config config) {
  // perch holds a handful of descriptors for each worker; workers get the old limit back.
  const rlimit inherited_nofile = raise_descriptor_limit();
  Log log;
  log.configure(config.perch.log_level, config.perch.log_format);
  const Ending refused = own_failure(ExitCode::SystemRefused, "", config);
  const auto supervisor = Supervisor::create(log, {options.config, options.overrides},
                                             std::move(config), inherited_nofile);
  if (supervisor) return (*supervisor)->run();
  log.error("{}", supervisor.error().text());
  return {refused.code, supervisor.error().text()};
}

}  // namespace

int run_command(const RunOptions& options) {
  ensure_standard_descriptors();
  own_proc_self();
  // A reader of our output that is gone is an error of that write, not our end.
  std::signal(SIGPIPE, SIG_IGN);
  auto config = config::load(options.config, options.overrides);
  const Ending ending = config ? supervise(options, std::move(*config)) : refuse(config.error());
  if (ending.code != 0) leave_last_words(ending.why);
  end_everything_else();
  return ending.code;
}

}  // namespace perch::cli
