// SPDX-License-Identifier: Apache-2.0
// WorkerCgroup: a version 2 cgroup of its own for one worker, used to kill and to see all of its
// tree, double-forked daemons included. It needs a version 2 hierarchy that we may write to, and no
// controller: in a hybrid the one without memory serves as well.
// It changes no limit. A cgroup that holds processes, as ours does, passes no domain controller on
// to its children ("no internal processes", cgroup-v2.rst), so the worker stays accounted to ours.
// Only at the real root may children have controllers of their own; ours are then without a limit,
// memory.events of every cgroup above still counts their OOM kills, and cpu.weight is the default.
// The directory's lock says that its owner lives: left-overs of dead perches are removed at
// create(), also where several containers with the same pids share one hierarchy.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::process {

class WorkerCgroup {
 public:
  // `perch-PID-WORKER` below our own cgroup. An error where that is impossible: no writable
  // version 2 hierarchy, a threaded cgroup, no cgroup.kill (before Linux 5.14), a name in use.
  static Result<WorkerCgroup> create(std::string_view worker);
  // Below a given cgroup, of which this process or an ancestor of it is a member.
  static Result<WorkerCgroup> create_below(const std::string& parent, std::string_view worker);
  // Removes the directory; while it has members it stays, for a later create() to remove.
  ~WorkerCgroup();
  WorkerCgroup(WorkerCgroup&&) noexcept = default;
  WorkerCgroup& operator=(WorkerCgroup&&) = delete;

  // The child writes "0" here to move itself; its later children are born inside.
  [[nodiscard]] const std::string& procs_path() const noexcept { return procs_path_; }

  // SIGKILL to every member at once, so that none can fork its way out. They are gone when
  // populated() is false; zombies do not count.
  [[nodiscard]] Result<void> kill() const;
  [[nodiscard]] Result<bool> populated() const;
  // Has EPOLLPRI whenever populated() has changed since it was last asked. Borrowed.
  [[nodiscard]] int populated_fd() const noexcept { return events_.get(); }
  // As seen from our PID namespace.
  [[nodiscard]] Result<std::vector<pid_t>> members() const;

 private:
  WorkerCgroup(std::string directory, UniqueFd lock);
  std::string directory_;  // empty: moved from
  std::string procs_path_;
  UniqueFd lock_;
  UniqueFd events_;
};

}  // namespace perch::process
