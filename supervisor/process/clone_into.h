// SPDX-License-Identifier: Apache-2.0
// clone3(2) for a child that is born in a cgroup of version 2 (CLONE_INTO_CGROUP, Linux 5.7): to
// enter one afterwards, by cgroup.procs, waits for a grace period of the kernel, some 8 ms when it
// is done rarely. glibc does not wrap clone3, and syscall(2) cannot: the child would return from it
// on an empty stack. So the few instructions that matter are here, for x86_64 and aarch64.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace perch::process {

struct ChildStack {
  void* lowest;  // the guard page may be part of it
  std::size_t size;
};

// As clone(2) with CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD; `main` must not return. The
// child's pid; -1 with errno where the kernel refuses, ENOSYS on other architectures too.
pid_t clone_into(int cgroup_directory, ChildStack stack, int (*main)(void*), void* argument,
                 int* pidfd);

}  // namespace perch::process
