// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/range_plan.h"

#include <algorithm>
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

std::optional<ByteRange> RangePlan::next(const IsWanted& is_wanted) {
  const auto found = std::ranges::find_if(waiting_, is_wanted);
  if (found == waiting_.end()) return std::nullopt;
  const ByteRange range = *found;
  waiting_.erase(found);
  return by_pieces_ ? missing(layout_.piece_at(range.begin)) : range;
}

bool RangePlan::has(const IsWanted& is_wanted) const {
  return std::ranges::any_of(waiting_, is_wanted);
}

void RangePlan::give_back(ByteRange range) {
  // All of it may have come to one that is told to stop.
  if (by_pieces_ && missing(layout_.piece_at(range.begin)).size() == 0) return;
  waiting_.push_front(range);
}

ByteRange RangePlan::missing(std::uint32_t number) const {
  const ByteRange piece = layout_.piece(number);
  return {piece.begin + bytes_done_(number), piece.end};
}

}  // namespace perch::peer
