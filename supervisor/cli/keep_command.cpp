// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/keep_command.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "supervisor/cli/own_process.h"
#include "supervisor/exit_code.h"
#include "supervisor/keeper/endurance.h"
#include "supervisor/keeper/keeper.h"
#include "supervisor/log.h"
#include "supervisor/process/account.h"
#include "supervisor/signals.h"
#include "supervisor/start_up_memory.h"

namespace perch::cli {
namespace {

Result<keeper::KeeperOptions> resolve(const KeepOptions& options) {
  using keeper::Place;
  keeper::KeeperOptions wanted{
      .server = {.path = options.socket,
                 .place = options.command.empty() ? Place::Apart : Place::SameContainer},
      .command = options.command};
  for (const std::string& user : options.users) {
    const auto uid = process::resolve_user(user);
    if (!uid) return fail_within("--user", uid.error());
    wanted.server.users.insert(*uid);
  }
  return wanted;
}

// Until it is stopped; its exit code.
Result<int> run(Log& log, keeper::KeeperOptions options) {
  Loop loop;
  std::unique_ptr<keeper::Keeper> keeper;
  auto signals = Signals::watch(loop, [&keeper](int number) { keeper->on_signal(number); });
  if (!signals) return std::unexpected(std::move(signals.error()));
  auto made = keeper::Keeper::create(loop, log, std::move(options));
  if (!made) return std::unexpected(std::move(made.error()));
  keeper = std::move(*made);
  if (auto attached = log.attach(loop); !attached) return std::unexpected(attached.error());
  keeper->start();
  give_back_start_up_memory();
  keeper::stay_resident();
  loop.run();
  const int code = keeper->exit_code();
  log.detach();
  log.flush();
  return code;
}

}  // namespace

int keep_command(const KeepOptions& options) {
  ensure_standard_descriptors();
  own_proc_self();
  // A reader of our output that is gone is an error of that write, not our end.
  std::signal(SIGPIPE, SIG_IGN);
  auto wanted = resolve(options);
  if (!wanted) {
    fmt::print(stderr, "perch: {}\n", wanted.error().text());
    return static_cast<int>(ExitCode::Usage);
  }
  wanted->nofile = raise_descriptor_limit();
  wanted->oom_score = keeper::lower_own_oom_score();
  Log log;
  log.configure(config::LogLevel::Info, config::LogFormat::Auto);
  const auto code = run(log, std::move(*wanted));
  if (!code) {
    log.error("{}", code.error().text());
    return static_cast<int>(ExitCode::SystemRefused);
  }
  end_everything_else();
  return *code;
}

}  // namespace perch::cli
