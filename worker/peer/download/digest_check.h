// SPDX-License-Identifier: Apache-2.0
// DigestCheck: the sum over a whole stored file, a part at a time, so that the loop stays free.
#pragma once

#include "worker/peer/store/digest.h"
#include "worker/peer/store/task_files.h"

namespace perch::peer {

class DigestCheck {
 public:
  explicit DigestCheck(Digest wanted) : wanted_(std::move(wanted)), hasher_(wanted_.kind) {}

  // Reads on in the file; call it until done().
  Result<void> step(const TaskFiles& files);
  [[nodiscard]] bool done(const TaskFiles& files) const { return at_ == files.layout().length; }
  // Once done.
  [[nodiscard]] bool matches() { return hasher_.hex() == wanted_.hex; }

 private:
  Digest wanted_;
  Hasher hasher_;
  std::uint64_t at_ = 0;
};

}  // namespace perch::peer
