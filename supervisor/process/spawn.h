// SPDX-License-Identifier: Apache-2.0
// Spawner: starts a process by clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD), or by clone3 where it
// is to be born in a cgroup: the cost does not grow with perch's size, and a failure up to and
// including exec is known when spawn() returns, with the step that failed. perch must be
// single-threaded, and stays suspended until the exec: a directory or program on a file system that
// hangs, hangs perch. It must have no signal handlers then (it reads its signals): one would run in
// the child, on perch's memory.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/process/capability_drop.h"
#include "supervisor/process/child_setup.h"

namespace perch::process {

struct Identity {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};

// Where the child's memory and its tree are accounted; nothing set: where perch's are.
struct CgroupEntry {
  // A cgroup of version 2: the child is born in it, or enters it by its cgroup.procs where the
  // kernel or a filter has no clone3.
  int directory = -1;  // borrowed
  std::string procs;
  // cgroup.procs of a memory cgroup of version 1, open for writing; borrowed.
  int memory_procs = -1;
};

struct SpawnRequest {
  std::vector<std::string> command;      // argv; a name without '/' is looked up in PATH
  std::vector<std::string> environment;  // complete, KEY=VALUE
  // LISTEN_PID=<the child's own pid> is added when set: only the child knows its pid.
  bool listen_pid = false;
  std::vector<int> fds;  // borrowed; the n-th becomes descriptor n. All others are closed
  CgroupEntry cgroup;
  std::optional<int> oom_score_adj;
  std::vector<ResourceLimit> limits;
  std::string directory;  // empty: stay
  std::optional<mode_t> umask;
  std::optional<Identity> identity;  // unset: perch's own
  CapabilityPlan capabilities;
  // A seccomp filter with notifications (install_filter.h), borrowed; empty: none.
  std::span<const sock_filter> filter;
  bool no_new_privs = false;     // with a filter: see FilterStep
  bool outlives_parent = false;  // else it is killed with us
};

struct SpawnFailure {
  Stage stage = Stage::Clone;
  int error = 0;
  std::string subject;  // what the step was about: the program, the directory, the user
  // "exec /usr/bin/foo: Permission denied"
  [[nodiscard]] std::string text() const;
};

struct Child {
  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd notify;  // where the filter's notifications arrive; set where there was a filter
};

class Spawner {
 public:
  // Maps the child's stack once; it is reused by every spawn. Fails for want of memory alone. Which
  // signals perch ignores is settled by now; children do not.
  static Result<Spawner> create();
  ~Spawner();
  Spawner(Spawner&& other) noexcept;
  Spawner& operator=(Spawner&&) = delete;

  std::expected<Child, SpawnFailure> spawn(const SpawnRequest& request);

 private:
  Spawner(void* stack, std::size_t size);
  pid_t start(ChildPlan& plan, const CgroupEntry& cgroup, int& pidfd);
  void* stack_;
  std::size_t size_;
  pid_t self_;
  std::vector<int> ignored_;
  bool has_clone_into_ = true;  // until the kernel says that it has not
};

// Where execvp(3) would look for `program`, given the value of PATH; one entry if it has a '/'.
std::vector<std::string> exec_candidates(const std::string& program, const std::string& path);

}  // namespace perch::process
