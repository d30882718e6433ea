// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/child_setup.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

// The child runs on the parent's memory: a sanitizer's bookkeeping there would be the parent's.
#define PERCH_CHILD __attribute__((no_sanitize("address", "undefined")))

namespace perch::process {
namespace {

// Every step answers 0 or an errno.
using Step = int (*)(ChildPlan&);

PERCH_CHILD int answer(long result) { return result < 0 ? errno : 0; }

// What perch handles, exec resets; what it ignores would stay ignored.
PERCH_CHILD int reset_signals(ChildPlan& plan) {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (const int number : plan.ignored_signals) {
    if (::sigaction(number, &standard, nullptr) != 0) return errno;
  }
  return 0;
}

PERCH_CHILD int start_session(ChildPlan& plan) {
  plan.pid = ::setsid();
  return answer(plan.pid);
}

PERCH_CHILD int write_text(const char* path, const char* text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  // Closed by exec.
  return answer(::write(fd, text, std::strlen(text)));
}

// Before descriptors are placed, perhaps over that of the cgroup.
PERCH_CHILD int enter_cgroup(ChildPlan& plan) {
  if (plan.memory_procs >= 0 && ::write(plan.memory_procs, "0", 1) < 0) return errno;
  return plan.cgroup_procs == nullptr ? 0 : write_text(plan.cgroup_procs, "0");
}

// While the child's descriptors are still the parent's, with the parent's limits, and while
// CAP_SYS_ADMIN may still be there.
PERCH_CHILD int intercept(ChildPlan& plan) { return install_filter(plan.filter); }

// In two phases, since a source may be another's target: first those below the targets' end are
// copied above it, then each goes to its place. One that is in place already only loses its
// close-on-exec, as dup2 takes it from the others; all else is closed by exec. This comes before
// the limits: the copies need numbers that a low RLIMIT_NOFILE would refuse.
PERCH_CHILD int place_descriptors(ChildPlan& plan) {
  const int end = static_cast<int>(plan.fds.size());
  for (FdPlacement& fd : plan.fds) {
    if (fd.source >= end || fd.source == fd.target) continue;
    fd.source = ::fcntl(fd.source, F_DUPFD_CLOEXEC, end);
    if (fd.source < 0) return errno;
  }
  for (const FdPlacement& fd : plan.fds) {
    const bool in_place = fd.source == fd.target;
    if ((in_place ? ::fcntl(fd.target, F_SETFD, 0) : ::dup2(fd.source, fd.target)) < 0) {
      return errno;
    }
  }
  // Kernels before 5.11 do not know the flag; what perch opens is close-on-exec anyway.
  ::syscall(SYS_close_range, static_cast<unsigned>(end), ~0U, CLOSE_RANGE_CLOEXEC);
  return 0;
}

// Before the uid changes: afterwards the file is another's (EACCES).
PERCH_CHILD int set_oom_score(ChildPlan& plan) {
  if (plan.oom_score_adj == nullptr) return 0;
  return write_text("/proc/self/oom_score_adj", plan.oom_score_adj);
}

PERCH_CHILD int set_limits(ChildPlan& plan) {
  for (const ResourceLimit& limit : plan.limits) {
    if (::syscall(SYS_prlimit64, 0, limit.resource, &limit.value, nullptr) < 0) return errno;
  }
  return 0;
}

PERCH_CHILD int enter_directory(ChildPlan& plan) {
  if (plan.umask) ::umask(*plan.umask);
  return plan.directory == nullptr ? 0 : answer(::chdir(plan.directory));
}

PERCH_CHILD int keep_capabilities(ChildPlan& plan) {
  return before_identity_change(plan.capabilities);
}

// Raw system calls: glibc's wrappers would signal "all threads of the process" to follow suit, and
// those are the parent's.
PERCH_CHILD int set_groups(ChildPlan& plan) {
  if (!plan.change_identity) return 0;
  return answer(::syscall(SYS_setgroups, plan.groups.size(), plan.groups.data()));
}
PERCH_CHILD int set_group(ChildPlan& plan) {
  if (!plan.change_identity) return 0;
  return answer(::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid));
}
PERCH_CHILD int set_user(ChildPlan& plan) {
  if (!plan.change_identity) return 0;
  return answer(::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid));
}
PERCH_CHILD int set_capabilities(ChildPlan& plan) {
  return after_identity_change(plan.capabilities);
}

// After the credentials, whose change clears it. The parent may have died before it was set.
PERCH_CHILD int set_death_signal(ChildPlan& plan) {
  if (plan.outlives_parent) return 0;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  return ::getppid() == plan.parent ? 0 : ESRCH;
}

PERCH_CHILD void write_number(pid_t number, char* digits) {
  char reversed[20];
  int count = 0;
  for (pid_t rest = number; rest > 0; rest /= 10) {
    reversed[count++] = static_cast<char>('0' + (rest % 10));
  }
  while (count > 0) *digits++ = reversed[--count];
  *digits = '\0';
}

// As execvp(3): a name that is there but may not be run is remembered over one that is not there.
// Where there is nothing to search, the kernel's own answer counts.
PERCH_CHILD int execute(ChildPlan& plan) {
  if (plan.listen_pid != nullptr) write_number(plan.pid, plan.listen_pid);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int error = ENOENT;
  for (char* const candidate : plan.candidates) {
    ::execve(candidate, plan.argv, plan.environment);
    if (errno == EACCES || plan.candidates.size() == 1) error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return errno;
  }
  return error;
}

struct NamedStep {
  Stage stage;
  Step step;
};

constexpr NamedStep kSteps[] = {
    {Stage::Signals, reset_signals},
    {Stage::Session, start_session},
    {Stage::Cgroup, enter_cgroup},
    {Stage::Intercept, intercept},
    {Stage::Descriptors, place_descriptors},
    {Stage::OomScore, set_oom_score},
    {Stage::Rlimit, set_limits},
    {Stage::Directory, enter_directory},
    {Stage::Capabilities, keep_capabilities},
    {Stage::Groups, set_groups},
    {Stage::Group, set_group},
    {Stage::User, set_user},
    {Stage::Capabilities, set_capabilities},
    {Stage::DeathSignal, set_death_signal},
    {Stage::Exec, execute},
};

}  // namespace

std::string_view name(Stage stage) {
  switch (stage) {
    case Stage::Clone:
      return "clone";
    case Stage::Signals:
      return "reset signals";
    case Stage::Session:
      return "setsid";
    case Stage::Intercept:
      return "install the seccomp filter";
    case Stage::Descriptors:
      return "place descriptors";
    case Stage::Cgroup:
      return "enter cgroup";
    case Stage::OomScore:
      return "set oom_score_adj";
    case Stage::Rlimit:
      return "set resource limit";
    case Stage::Directory:
      return "enter directory";
    case Stage::Groups:
      return "set supplementary groups";
    case Stage::Group:
      return "set group";
    case Stage::User:
      return "set user";
    case Stage::Capabilities:
      return "limit capabilities";
    case Stage::DeathSignal:
      return "set parent-death signal";
    case Stage::Exec:
      return "exec";
  }
  return "spawn";
}

PERCH_CHILD int run_child(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  for (const NamedStep& next : kSteps) {
    plan.error = next.step(plan);
    if (plan.error == 0) continue;
    plan.failed_at = next.stage;
    break;
  }
  ::_exit(127);
}

}  // namespace perch::process
