// SPDX-License-Identifier: Apache-2.0
// KernelLog: the lines of /dev/kmsg about victims of the OOM killer, where this process may read
// it: seldom in a container, and elsewhere with CAP_SYSLOG. Opened at the end and read only when
// somebody asks, so a quiet perch costs nothing and a death in a thousand a millisecond.
//
// Whose line is it? The log has pids of the initial pid namespace, and victims of every container
// of the machine. In that namespace the pid tells. In another one nobody can translate it; then the
// name must be the same, the line a few seconds old at most, and the only one of that kind: else
// there is none.
#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "common/value/unique_fd.h"
#include "supervisor/process/oom_victim.h"

namespace perch::process {

class KernelLog {
 public:
  // Never fails: where it cannot be read, there are no victims.
  static KernelLog open();
  // A log of another file, such as a pipe that never ends, and whether pids tell.
  enum class Pids { Ours, Foreign };
  KernelLog(UniqueFd file, Pids pids) : file_(std::move(file)), pids_(pids) {}

  // This process is dead and not reaped yet: the last moment to ask for its name, where that is
  // what find() goes by.
  void remember(pid_t pid);
  // The line about a process that was killed just now. It is found once.
  std::optional<OomVictim> find(pid_t pid);

 private:
  void read_on();
  std::optional<OomVictim> take_by_pid(pid_t pid);
  std::optional<OomVictim> take_by_name(const std::string& name);

  UniqueFd file_;  // empty: not to be had
  Pids pids_;
  std::deque<OomVictim> victims_;       // read and not asked for yet: several may die at once
  std::map<pid_t, std::string> names_;  // remembered, until the pid is another's
};

}  // namespace perch::process
