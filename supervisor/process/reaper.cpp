// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/reaper.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace perch::process {
namespace {

// waitid(2) with its fifth argument, which glibc's wrapper hides: what the process used.
// The pid that has ended, 0: none has.
pid_t wait_without_blocking(idtype_t kind, id_t id, int extra_flags, siginfo_t& info,
                            rusage* used) {
  info = {};
  long result = -1;
  do {
    result = ::syscall(SYS_waitid, kind, id, &info, WEXITED | WNOHANG | extra_flags, used);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? 0 : info.si_pid;
}

Exit exit_of(const siginfo_t& info, const rusage& used) {
  return {.by_signal = info.si_code != CLD_EXITED,
          .status = info.si_status,
          .core_dumped = info.si_code == CLD_DUMPED,
          .max_rss_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024U};
}

}  // namespace

Result<Reaper> Reaper::create(Loop& loop, OrphanReaped on_orphan) {
  auto table = std::make_unique<Table>(Table{loop, std::move(on_orphan), {}, {}, {}});
  sigset_t child_signal;
  ::sigemptyset(&child_signal);
  ::sigaddset(&child_signal, SIGCHLD);
  auto inbox =
      SignalInbox::open(loop, child_signal, [table = table.get()](int) { table->collect(); });
  if (!inbox) return fail_within("reaper", std::move(inbox.error()));
  table->child_signal.emplace(std::move(*inbox));
  return Reaper(std::move(table));
}

Result<void> Reaper::watch(pid_t pid, UniqueFd pidfd, Mourner& mourner) {
  Main main{std::move(pidfd), std::nullopt, &mourner};
  auto watcher = FdWatcher::create(table_->loop, main.pidfd.get(),
                                   [table = table_.get(), pid](Readiness) { table->bury(pid); });
  if (!watcher) return fail_within("pidfd", std::move(watcher.error()));
  watcher->watch({.readable = true});
  main.watcher = std::move(*watcher);
  table_->mains.insert_or_assign(pid, std::move(main));
  return {};
}

void Reaper::forget(pid_t pid) { table_->mains.erase(pid); }

Result<void> Reaper::signal(pid_t pid, int number) const {
  const auto main = table_->mains.find(pid);
  if (main == table_->mains.end()) return fail("signal", ESRCH);
  if (::syscall(SYS_pidfd_send_signal, main->second.pidfd.get(), number, nullptr, 0) != 0) {
    return fail("signal " + std::to_string(pid));
  }
  return {};
}

void Reaper::collect() { table_->collect(); }

// A process that ends is looked at before it is reaped: a main process goes the long way.
void Reaper::Table::collect() {
  siginfo_t info{};
  while (const pid_t pid = wait_without_blocking(P_ALL, 0, WNOWAIT, info, nullptr)) {
    if (mains.contains(pid)) {
      bury(pid);
      continue;
    }
    wait_without_blocking(P_PID, static_cast<id_t>(pid), 0, info, nullptr);
    on_orphan(pid);
  }
}

void Reaper::Table::bury(pid_t pid) {
  const auto found = mains.find(pid);
  if (found == mains.end()) return;
  siginfo_t info{};
  rusage used{};
  const id_t pidfd = static_cast<id_t>(found->second.pidfd.get());
  if (wait_without_blocking(P_PIDFD, pidfd, WNOWAIT, info, nullptr) == 0) {
    // Dead, and not ours to reap before its tracer lets go; then comes a SIGCHLD.
    found->second.watcher->stop();
    return;
  }
  found->second.mourner->on_dead();
  // Its descriptor is closed when the next life has begun: nobody waits for that.
  const auto dead = mains.extract(pid);
  if (dead.empty()) return;
  wait_without_blocking(P_PIDFD, pidfd, 0, info, &used);
  dead.mapped().mourner->on_reaped(exit_of(info, used));
}

}  // namespace perch::process
