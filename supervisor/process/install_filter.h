// SPDX-License-Identifier: Apache-2.0
// install_filter: a child puts a seccomp filter over itself and sends the descriptor on which the
// filter's notifications arrive (seccomp_unotify(2)) to the parent. It happens between clone and
// exec, on the parent's memory: raw system calls only, no allocation, no lock. The filter must not
// notify of what a child does until its exec: the parent is suspended and could not answer.
#pragma once

#include <linux/filter.h>

#include <span>

namespace perch::process {

// This process may not give its children a filter unless they take no_new_privs, too: it lacks
// CAP_SYS_ADMIN (seccomp(2)). For the parent.
[[nodiscard]] bool filters_need_no_new_privs();

struct FilterStep {
  std::span<const sock_filter> program;  // empty: nothing to do
  int socket = -1;                       // of a pair; the notify descriptor goes there
  // Without CAP_SYS_ADMIN the kernel takes a filter from such a process alone. Its setuid programs
  // then run without elevation.
  bool no_new_privs = false;
};

// 0 or an errno. The child's own copy of the notify descriptor is closed by exec.
[[nodiscard]] int install_filter(const FilterStep& step) noexcept;

}  // namespace perch::process
