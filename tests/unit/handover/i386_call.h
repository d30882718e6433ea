// SPDX-License-Identifier: Apache-2.0
// A system call as a 32-bit program makes it, from a 64-bit one: int 0x80, addresses below 4 GiB.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace perch::test {

#if defined(__x86_64__)
// Answers a negative errno.
long i386_call(int number, std::uint32_t first = 0, std::uint32_t second = 0,
               std::uint32_t third = 0);
// Memory that such a call can reach; null where there is none.
char* low_memory(std::size_t size);
// False where the kernel knows no 32-bit programs. Asked in a process of its own.
bool knows_i386_calls();
#endif

}  // namespace perch::test
