// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/piece_check.h"

namespace perch::peer {

Result<bool> PieceCheck::step(TaskFiles& files) {
  while (next_ < files.layout().count() && !files.done(next_)) ++next_;
  if (next_ == files.layout().count()) return false;
  const std::uint64_t recorded = files.bytes_done(next_);
  const auto good = files.verify(next_++);
  if (!good) return good;
  if (!*good) lost_ += recorded;
  return true;
}

}  // namespace perch::peer
