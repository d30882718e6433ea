// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/handover/scene.h"

#include <sys/mman.h>

#include <filesystem>

#include "tests/support/wait_until.h"

namespace perch::test {

bool run_until(Loop& loop, const std::function<bool()>& predicate) {
  return wait_until([&] {
    loop.run_pending();
    return predicate();
  });
}

// One turn reads at most 64 messages of a socket.
void run_all(Loop& loop) {
  for (int turn = 0; turn < 100; ++turn) loop.run_pending();
}

UniqueFd named_file(const std::string& name) {
  return UniqueFd(::memfd_create(name.c_str(), MFD_CLOEXEC));
}

std::string name_of(const UniqueFd& file) {
  std::error_code failure;
  const std::string link =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file.get()), failure);
  const std::size_t start = link.find(':') + 1;
  return link.substr(start, link.find(' ', start) - start);
}

}  // namespace perch::test
