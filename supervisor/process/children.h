// SPDX-License-Identifier: Apache-2.0
// Who is whose child, as /proc lists it. perch asks for its own at every death of a worker: that
// list stays open, so that it costs one system call.
#pragma once

#include <sys/types.h>

#include <vector>

#include "common/value/unique_fd.h"

namespace perch::process {

// Direct children of any process, of all its threads.
std::vector<pid_t> children_of(pid_t parent);

// Direct children of the calling process, zombies included; it must have one thread.
class OwnChildren {
 public:
  OwnChildren();
  [[nodiscard]] std::vector<pid_t> list() const;

 private:
  pid_t self_;
  UniqueFd file_;  // empty where the kernel has no such lists (CONFIG_PROC_CHILDREN)
};

}  // namespace perch::process
