// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/run_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "supervisor/config/load.h"
#include "supervisor/ending.h"
#include "supervisor/log.h"
#include "supervisor/reload_plan.h"
#include "supervisor/supervisor.h"
#include "supervisor/termination_log.h"

namespace perch::cli {
namespace {

// A process started without them would give their numbers to the next thing it opens.
void ensure_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is fd itself.
    static_cast<void>(::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY));
  }
}

// perch holds a handful of descriptors for each worker; workers get the old limit back.
rlimit raise_descriptor_limit() {
  rlimit inherited{};
  ::getrlimit(RLIMIT_NOFILE, &inherited);
  rlimit raised = inherited;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return inherited;
}

// With PID 1 the kernel ends everything else anyway; this way it happens before our exit code is
// reported, and no process outlives the answer.
void end_everything_else() {
  if (::getpid() == 1) ::kill(-1, SIGKILL);
}

Ending refuse(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) fmt::print(stderr, "perch: {}\n", problem.text);
  return {static_cast<int>(ExitCode::Usage), join_problems(problems)};
}

Ending supervise(const RunOptions& options, config::Config config) {
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
  // A reader of our output that is gone is an error of that write, not our end.
  std::signal(SIGPIPE, SIG_IGN);
  auto config = config::load(options.config, options.overrides);
  const Ending ending = config ? supervise(options, std::move(*config)) : refuse(config.error());
  if (ending.code != 0) leave_last_words(ending.why);
  end_everything_else();
  return ending.code;
}

}  // namespace perch::cli
