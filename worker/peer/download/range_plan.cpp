// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/range_plan.h"

namespace perch::peer {

RangePlan::RangePlan(const PieceLayout& layout, bool origin_has_ranges,
                     const std::function<bool(std::uint32_t)>& is_done) {
  for (std::uint32_t number = 0; number < layout.count(); ++number) {
    if (!is_done(number)) waiting_.push_back(layout.piece(number));
  }
  if (!origin_has_ranges && !waiting_.empty()) waiting_ = {{0, layout.length}};
}

std::optional<ByteRange> RangePlan::next() {
  if (waiting_.empty()) return std::nullopt;
  const ByteRange range = waiting_.front();
  waiting_.pop_front();
  return range;
}

}  // namespace perch::peer
