// SPDX-License-Identifier: Apache-2.0
// What a child does between clone and exec. It shares the parent's memory (CLONE_VM) while the
// parent is suspended (CLONE_VFORK), so it may use only what the parent laid out in a ChildPlan:
// nothing here allocates, locks or calls into libc beyond thin system calls. A failure is left in
// the plan, where the parent reads it when it wakes up.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <csignal>
#include <optional>
#include <span>
#include <string_view>

#include "supervisor/process/capability_drop.h"
#include "supervisor/process/install_filter.h"

namespace perch::process {

// The steps, in their order, for messages such as "exec /usr/bin/foo: Permission denied".
enum class Stage {
  Clone,
  Signals,
  Session,
  Cgroup,
  Intercept,
  Descriptors,
  OomScore,
  Rlimit,
  Directory,
  Groups,
  Group,
  User,
  Capabilities,
  DeathSignal,
  Exec,
};

std::string_view name(Stage stage);

struct FdPlacement {
  int source;
  int target;
};

struct ResourceLimit {
  int resource;
  rlimit64 value;
};

struct ChildPlan {
  // Lent by the parent; all of it outlives the clone.
  std::span<const int> ignored_signals;
  std::span<char* const> candidates;  // paths to try for exec, as execvp(3) would
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  FilterStep filter;
  char* listen_pid = nullptr;          // where the child writes its own pid in decimal, or null
  std::span<FdPlacement> fds;          // targets are 0 to n-1, each once; the child's scratch space
  const char* cgroup_procs = nullptr;  // of version 2, where it was not born in it
  int memory_procs = -1;               // of version 1, open
  const char* oom_score_adj = nullptr;  // decimal text
  std::span<const ResourceLimit> limits;
  const char* directory = nullptr;
  std::optional<mode_t> umask;
  bool change_identity = false;
  std::span<const gid_t> groups;
  gid_t gid = 0;
  uid_t uid = 0;
  CapabilityPlan capabilities;
  bool outlives_parent = false;
  pid_t parent = 0;  // as the child sees it
  // Left by the child.
  pid_t pid = 0;
  Stage failed_at = Stage::Clone;
  int error = 0;
};

// The child's main function for clone(2); `plan` is a ChildPlan. Does not return but to exit.
int run_child(void* plan);

}  // namespace perch::process
