// SPDX-License-Identifier: Apache-2.0
// RangePlan: what is still to be asked of the origin. One piece a request where the origin knows
// ranges; else the whole file in one request. Pure.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

class RangePlan {
 public:
  // `is_done(number)` tells the pieces that need not be asked for.
  RangePlan(const PieceLayout& layout, bool origin_has_ranges,
            const std::function<bool(std::uint32_t)>& is_done);

  // The next range to ask for, first pieces first; nothing when all has been handed out.
  std::optional<ByteRange> next();
  // A range that failed comes next again.
  void give_back(ByteRange range) { waiting_.push_front(range); }

 private:
  std::deque<ByteRange> waiting_;
};

}  // namespace perch::peer
