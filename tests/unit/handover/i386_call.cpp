// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/handover/i386_call.h"

#if defined(__x86_64__)
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace perch::test {

long i386_call(int number, std::uint32_t first, std::uint32_t second, std::uint32_t third) {
  long result = number;
  // The kernel clears r8 to r11 on this way in.
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(first), "c"(second), "d"(third)
               : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int>(result);
}

char* low_memory(std::size_t size) {
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

bool knows_i386_calls() {
  constexpr int kGetpid = 20;
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(i386_call(kGetpid) == ::getpid() ? 0 : 1);
  int status = -1;
  return ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace perch::test
#endif
