// SPDX-License-Identifier: Apache-2.0
// ProcessTree: which processes belong to a generation, and how to end them all. perch is PID 1 or a
// child subreaper, so whatever a worker leaves behind becomes perch's child; where two workers
// leave daemons behind, those are told apart by process group, session, cgroup and the
// PERCH_GENERATION in their environment. One that cannot be attributed is left alone.
// A process is signalled by a pidfd that was checked after it was opened: never a recycled pid.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/process/children.h"

namespace perch::process {

class WorkerCgroup;

// One line of /proc/PID/stat, as far as it matters here.
struct ProcessStat {
  pid_t pid = 0;
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  unsigned flags = 0;
  unsigned long long start_time = 0;  // clock ticks after boot; with pid: the process's identity
};
// Nothing when the process is gone. The name in parentheses may hold anything, ')' included.
bool parse_stat(std::string_view text, ProcessStat& stat);
bool read_stat(pid_t pid, ProcessStat& stat);

// The process has a SIGKILL before it, is on its way out (PF_EXITING), a zombie or gone.
bool is_exiting(pid_t pid);

// For people: "pid 12 (app, state D in nfs_wait)".
std::string describe(pid_t pid);
// Is `pid` a child, grandchild, ... of `ancestor`?
bool descends_from(pid_t pid, pid_t ancestor);

// A pidfd of a child that nobody watches yet; ECHILD if `pid` is none of ours.
Result<UniqueFd> open_child_pidfd(pid_t pid);

struct Lineage {
  pid_t leader = 0;   // the main process while it lives, else 0
  pid_t session = 0;  // what setsid() in the child made: its session and group number
  std::string tag;    // "PERCH_GENERATION=app/3"
  const WorkerCgroup* cgroup = nullptr;  // where the worker has one of its own
};

// OfOneWorker: no other worker runs, every orphan is this one's.
enum class Orphans { OfOneWorker, OfSeveral };
// Does `pid` descend from us and belong to this generation?
bool is_of(const Lineage& lineage, pid_t pid, Orphans orphans);

// The processes of the generation that live, double-forked daemons included. `is_main` as below.
std::vector<pid_t> list_tree(const Lineage& lineage, const OwnChildren& children,
                             const std::function<bool(pid_t)>& is_main, Orphans orphans);

struct Sweep {
  std::vector<pid_t> killed;  // of this generation, alive until now; they will end soon
  unsigned unattributed = 0;  // orphans that nobody can be named for
};

// Kills every process of the generation, its main process (`leader`) included if it is given.
// Returns what was found; call again when children have been reaped, until nothing was killed.
// `is_main` says which children of ours are main processes and so nobody's orphans.
Sweep kill_tree(const Lineage& lineage, const OwnChildren& children,
                const std::function<bool(pid_t)>& is_main, Orphans orphans);

}  // namespace perch::process
