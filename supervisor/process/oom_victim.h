// SPDX-License-Identifier: Apache-2.0
// OomVictim: what the kernel log says of a process that the OOM killer took. Pure. A record of
// /dev/kmsg is "priority,number,microseconds,flags;text" (Documentation/ABI/testing/dev-kmsg); the
// text has been the same since Linux 5.2. It holds the process's own name, so any bytes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace perch::process {

struct OomVictim {
  enum class Scope { Cgroup, Machine };
  Scope scope = Scope::Cgroup;
  pid_t pid = 0;                    // in the initial pid namespace
  std::string name;                 // as the log has it: what is not printable is escaped
  std::chrono::microseconds at{0};  // on the kernel log's clock
  std::string line;                 // "Killed process 12 (app) total-vm:...", safe to show
};

// Nothing where the record tells something else, or was not written by the kernel.
std::optional<OomVictim> parse_oom_victim(std::string_view record);

// A process's name as the kernel log writes it.
std::string as_logged(std::string_view name);

}  // namespace perch::process
