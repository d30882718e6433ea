// SPDX-License-Identifier: Apache-2.0
// What /proc says of a process that a test looks at from outside.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace perch::test {

// Children of all its threads, zombies included.
std::vector<pid_t> children_of(pid_t pid);
// False also for a zombie.
bool alive(pid_t pid);
// The state's letter, 'Z' for a zombie, '?' for nobody.
char state_of(pid_t pid);
// "VmRSS", "Threads", ...: the value behind the name in /proc/PID/status, without its unit.
std::string status_field(pid_t pid, const std::string& name);
std::size_t open_fds(pid_t pid);
std::size_t threads(pid_t pid);
std::size_t resident_kib(pid_t pid);

}  // namespace perch::test
