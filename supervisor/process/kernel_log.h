// SPDX-License-Identifier: Apache-2.0
// KernelLog: the lines of /dev/kmsg about victims of the OOM killer, where this process may read
// it: seldom in a container, and elsewhere with CAP_SYSLOG. Opened at the end and read only when
// somebody asks, so a quiet perch costs nothing. Then it is read from where it was left, which may
// be the whole log, some ten thousand calls: ask when nobody waits.
//
// Whose line is it? The log has pids of the initial pid namespace, and victims of every container
// of the machine. In that namespace the pid tells. In another one nobody can translate it; then the
// name must be the same, the line a few seconds old at most, and the only one of that kind: else
// there is none.
#pragma once

#include <sys/types.h>

#include <deque>
#include <optional>
#include <string>
#include <string_view>

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

  // Whether find() goes by the name, which must be asked for before the process is reaped.
  [[nodiscard]] bool goes_by_name() const noexcept { return file_ && pids_ == Pids::Foreign; }

  // Of a process that was killed just now. A victim is found once.
  std::optional<OomVictim> find(pid_t pid, std::string_view name);

 private:
  void read_on();
  std::optional<OomVictim> take_by_pid(pid_t pid);
  std::optional<OomVictim> take_by_name(std::string_view name);

  UniqueFd file_;  // empty: not to be had
  Pids pids_;
  std::deque<OomVictim> victims_;  // read and not asked for yet: several may die at once
};

}  // namespace perch::process
