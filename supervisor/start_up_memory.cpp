// SPDX-License-Identifier: Apache-2.0
#include "supervisor/start_up_memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace perch {
namespace {

// Where the linker put the program's code (ld's predefined symbols).
extern "C" const char __executable_start;  // NOLINT(bugprone-reserved-identifier,cert-dcl*)
extern "C" const char etext;

}  // namespace

void give_back_start_up_memory() {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(&__executable_start) & ~(page - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(&etext) & ~(page - 1);
  // The mapping is private and never written: its pages are the file's, so that nothing is lost
  // but a debugger's breakpoints.
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the linker's, as a page's
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  ::malloc_trim(0);
}

}  // namespace perch
