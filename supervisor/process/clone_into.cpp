// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/clone_into.h"

#include <linux/sched.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace perch::process {
namespace {

std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// The parent's answer is a pid or a negated errno. The child has the parent's registers but for the
// stack pointer, and goes from here straight into `main`; the parent's stack is not touched. Any
// operand may be in the frame's register: it is cleared last.
#if defined(__x86_64__)
long call_clone3(const clone_args& request, int (*main)(void*), void* argument) {
  long result = SYS_clone3;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "mov %[main], %%rax\n\t"
      "mov %[argument], %%rdi\n\t"
      "xor %%ebp, %%ebp\n\t"  // the outermost frame
      "call *%%rax\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(&request), "S"(sizeof request), [main] "r"(main), [argument] "r"(argument)
      : "rcx", "r11", "cc", "memory");
  return result;
}
#elif defined(__aarch64__)
long call_clone3(const clone_args& request, int (*main)(void*), void* argument) {
  register long result asm("x0") = reinterpret_cast<long>(&request);
  register std::size_t size asm("x1") = sizeof request;
  register long number asm("x8") = SYS_clone3;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x8, %[main]\n\t"
      "mov x0, %[argument]\n\t"
      "mov x29, #0\n\t"  // the outermost frame
      "blr x8\n\t"
      "brk #0\n"
      "1:"
      : "+r"(result)
      : "r"(size), "r"(number), [main] "r"(main), [argument] "r"(argument)
      : "cc", "memory");
  return result;
}
#else
long call_clone3(const clone_args&, int (*)(void*), void*) { return -ENOSYS; }
#endif

}  // namespace

pid_t clone_into(int cgroup_directory, ChildStack stack, int (*main)(void*), void* argument,
                 int* pidfd) {
  clone_args request{};
  request.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP;
  request.exit_signal = SIGCHLD;
  request.pidfd = address(pidfd);
  request.stack = address(stack.lowest);
  request.stack_size = stack.size;
  request.cgroup = static_cast<unsigned>(cgroup_directory);
  const long result = call_clone3(request, main, argument);
  if (result >= 0) return static_cast<pid_t>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace perch::process
