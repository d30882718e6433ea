// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/keeper.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace perch::keeper {
namespace {

// The command is a perch as if no keeper had started it: with all that the keeper may do.
Result<process::SpawnRequest> spawn_request(KeeperOptions& options) {
  auto capabilities = process::CapabilityPlan::make({"all"});
  if (!capabilities) return std::unexpected(std::move(capabilities.error()));
  process::SpawnRequest request;
  request.capabilities = *capabilities;
  request.command = std::move(options.command);
  for (char** entry = environ; *entry != nullptr; ++entry) request.environment.emplace_back(*entry);
  request.fds = {0, 1, 2};
  request.oom_score_adj = options.oom_score;
  request.limits = {{RLIMIT_NOFILE, {options.nofile.rlim_cur, options.nofile.rlim_max}}};
  // A perch whose keeper dies goes on.
  request.outlives_parent = true;
  return request;
}

}  // namespace

Keeper::Keeper(Loop& loop, Log& log) : loop_(loop), log_(log) {}

Result<std::unique_ptr<Keeper>> Keeper::create(Loop& loop, Log& log, KeeperOptions options) {
  std::unique_ptr<Keeper> keeper(new Keeper(loop, log));
  auto server = KeepServer::open(loop, log, options.server);
  if (!server) return std::unexpected(std::move(server.error()));
  keeper->server_ = std::move(*server);
  auto reaper = process::Reaper::create(loop, [raw = keeper.get()](pid_t pid) {
    if (raw->charge_) raw->charge_->on_orphan_reaped(pid);
  });
  if (!reaper) return std::unexpected(std::move(reaper.error()));
  keeper->reaper_.emplace(std::move(*reaper));
  if (options.command.empty()) return keeper;
  if (::getpid() != 1 && ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail("become subreaper");
  auto spawner = process::Spawner::create();
  if (!spawner) return std::unexpected(std::move(spawner.error()));
  keeper->spawner_.emplace(std::move(*spawner));
  auto request = spawn_request(options);
  if (!request) return std::unexpected(std::move(request.error()));
  keeper->charge_.emplace(Charge::Room{loop, log, *keeper->spawner_, *keeper->reaper_},
                          std::move(*request), [raw = keeper.get()](int code) { raw->end(code); });
  return keeper;
}

void Keeper::start() {
  if (charge_) charge_->start();
}

void Keeper::on_signal(int number) {
  if (charge_) return charge_->signal(number);
  if (number != SIGTERM && number != SIGINT && number != SIGQUIT) return;
  log_.info("keeper: ends with {} listener(s) kept", server_->count());
  end(0);
}

void Keeper::end(int exit_code) {
  exit_code_ = exit_code;
  loop_.stop();
}

}  // namespace perch::keeper
