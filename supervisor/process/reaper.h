// SPDX-License-Identifier: Apache-2.0
// Reaper: the only place where perch waits for processes. The death of a generation's main process
// is noticed by its pidfd; everything else that ends below perch (orphans of workers, or of the
// whole container where perch is PID 1) by SIGCHLD. A main process is reaped in three beats:
// its owner is told while the zombie still pins the pid (drain what it wrote, kill its tree), it is
// reaped, its owner is told how it ended.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/loop/signal_inbox.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/process/children.h"

namespace perch::process {

struct Exit {
  bool by_signal = false;
  int status = 0;  // exit code or signal number
  bool core_dumped = false;
  std::uint64_t max_rss_bytes = 0;  // of this process and the children it waited for (getrusage(2))
};

class Reaper {
 public:
  // The owner of a watched main process. Must outlive the watch.
  class Mourner {
   public:
    virtual ~Mourner() = default;
    // Dead and not reaped: the pid, its group and its session cannot be anybody else's yet.
    virtual void on_dead() = 0;
    // Reaped; the watch is over and may be begun anew. Not called if on_dead() forgot the process.
    virtual void on_reaped(const Exit& exit) = 0;
  };
  using OrphanReaped = std::function<void(pid_t)>;

  static Result<Reaper> create(Loop& loop, OrphanReaped on_orphan);

  // `pid` is a child of ours that has not been reaped.
  Result<void> watch(pid_t pid, UniqueFd pidfd, Mourner& mourner);
  // Forgets a main process: when it ends it is reaped as an orphan.
  void forget(pid_t pid);

  [[nodiscard]] bool watches(pid_t pid) const { return table_->mains.contains(pid); }
  // Signals a watched process; ESRCH once it is reaped. Never reaches another that got its number.
  Result<void> signal(pid_t pid, int number) const;
  // Reaps whatever has ended, without waiting.
  void collect();
  // Whom there is to wait for, orphans included.
  [[nodiscard]] const OwnChildren& children() const noexcept { return table_->children; }

 private:
  struct Main {
    UniqueFd pidfd;
    std::optional<FdWatcher> watcher;
    Mourner* mourner = nullptr;
  };
  // Lives where callbacks can refer to it though the Reaper is moved.
  struct Table {
    Loop& loop;
    OrphanReaped on_orphan;
    std::map<pid_t, Main> mains;
    std::optional<SignalInbox> child_signal;
    OwnChildren children;

    void collect();
    void bury(pid_t pid);
  };
  explicit Reaper(std::unique_ptr<Table> table) : table_(std::move(table)) {}
  std::unique_ptr<Table> table_;
};

}  // namespace perch::process
