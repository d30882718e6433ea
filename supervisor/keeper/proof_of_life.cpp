// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/proof_of_life.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace perch::keeper {

Result<int> ProofOfLife::seen() {
  if (!held_) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("pipe2");
    seen_.reset(ends[0]);
    held_.reset(ends[1]);
  }
  return seen_.get();
}

}  // namespace perch::keeper
