// SPDX-License-Identifier: Apache-2.0
// WorkerCgroup: a version 2 cgroup of its own for one worker, used to kill and to see all of its
// tree, double-forked daemons included. It needs a version 2 hierarchy that we may write to, and no
// controller: in a hybrid the one without memory serves as well. It sets no limit: those come with
// Division and WorkerLimits. Below an undivided cgroup, which holds processes and so passes no
// domain controller on ("no internal processes", cgroup-v2.rst), the worker stays accounted to
// that. Left-overs of dead perches are removed at create().
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/process/cgroup_directory.h"

namespace perch::process {

class WorkerCgroup {
 public:
  // `perch-PID-WORKER` below our own cgroup. An error where that is impossible: no writable
  // version 2 hierarchy, a threaded cgroup, no cgroup.kill (before Linux 5.14), a name in use.
  static Result<WorkerCgroup> create(std::string_view worker);
  // Below a given cgroup, of which this process or an ancestor of it is a member.
  static Result<WorkerCgroup> create_below(const std::string& parent, std::string_view worker);

  [[nodiscard]] const std::string& directory() const noexcept { return directory_.path(); }
  // Its children are born inside; borrowed.
  [[nodiscard]] int directory_fd() const noexcept { return directory_.fd(); }
  // Who writes "0" here moves itself.
  [[nodiscard]] const std::string& procs_path() const noexcept { return procs_path_; }

  // SIGKILL to every member at once, so that none can fork its way out. They are gone when
  // populated() is false; zombies do not count.
  [[nodiscard]] Result<void> kill() const;
  // It is to be replaced: after a kill, since Linux 6.18 kills whoever is born in it (see Spawner),
  // and where the worker has divided it, since nobody may enter it then (EBUSY).
  [[nodiscard]] bool is_used_up() const;
  [[nodiscard]] Result<bool> populated() const;
  // Has EPOLLPRI whenever populated() has changed since it was last asked. Borrowed.
  [[nodiscard]] int populated_fd() const noexcept { return events_.get(); }
  // Those in cgroups below it too, as seen from our PID namespace.
  [[nodiscard]] Result<std::vector<pid_t>> members() const;

 private:
  explicit WorkerCgroup(CgroupDirectory directory);
  CgroupDirectory directory_;
  std::string procs_path_;
  UniqueFd events_;
  mutable bool used_up_ = false;  // nothing of it changes for those who look
};

}  // namespace perch::process
