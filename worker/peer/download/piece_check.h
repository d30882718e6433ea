// SPDX-License-Identifier: Apache-2.0
// PieceCheck: holds the finished pieces of a task against their recorded checksums, one a step, so
// that the loop stays free. What does not match is forgotten.
#pragma once

#include "worker/peer/store/task_files.h"

namespace perch::peer {

class PieceCheck {
 public:
  // Whether there was one more.
  Result<bool> step(TaskFiles& files);
  // Bytes that were recorded and are forgotten now.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  std::uint32_t next_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace perch::peer
