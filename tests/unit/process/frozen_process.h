// SPDX-License-Identifier: Apache-2.0
// FrozenProcess: a child that does not run and so does not act upon its SIGKILL, as one that waits
// long for a processor or in the kernel. The freezer of cgroup v1 makes it so; it is mounted for
// the test where it is not (needs root).
#pragma once

#include <sys/types.h>

#include <memory>

#include "tests/support/temporary_directory.h"

namespace perch::test {

class FrozenProcess {
 public:
  // Null where the freezer cannot be had.
  static std::unique_ptr<FrozenProcess> make();
  // Thaws it, ends it and reaps it.
  ~FrozenProcess();
  FrozenProcess(const FrozenProcess&) = delete;
  FrozenProcess& operator=(const FrozenProcess&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  FrozenProcess() = default;
  bool freeze();

  TemporaryDirectory mount_;
  std::string cgroup_;
  bool mounted_ = false;
  pid_t pid_ = -1;
};

}  // namespace perch::test
