// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/range_plan.h"

#include <limits>
#include <utility>

namespace perch::peer {

RangePlan::RangePlan(const PieceLayout& layout, bool origin_has_ranges, BytesDone bytes_done)
    : layout_(layout), by_pieces_(origin_has_ranges), bytes_done_(std::move(bytes_done)) {
  for (std::uint32_t number = 0; number < layout_.count(); ++number) {
    if (const ByteRange range = missing(number); range.size() > 0) waiting_.push_back(range);
  }
  if (!by_pieces_ && !waiting_.empty()) waiting_ = {{0, layout_.length}};
}

RangePlan RangePlan::without_end() {
  RangePlan plan({}, false, {});
  plan.waiting_.push_back({0, std::numeric_limits<std::uint64_t>::max()});
  return plan;
}

std::optional<ByteRange> RangePlan::next() {
  if (waiting_.empty()) return std::nullopt;
  const ByteRange range = waiting_.front();
  waiting_.pop_front();
  return by_pieces_ ? missing(layout_.piece_at(range.begin)) : range;
}

ByteRange RangePlan::missing(std::uint32_t number) const {
  const ByteRange piece = layout_.piece(number);
  return {piece.begin + bytes_done_(number), piece.end};
}

}  // namespace perch::peer
