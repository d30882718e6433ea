// SPDX-License-Identifier: Apache-2.0
// RangePlan: what is still to be asked of the origin. Where it knows ranges, one request brings
// what is missing of one piece; else one brings the whole file, from its start. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

class RangePlan {
 public:
  // How many bytes of a piece are there, from its beginning on.
  using BytesDone = std::function<std::uint64_t(std::uint32_t number)>;

  RangePlan(const PieceLayout& layout, bool origin_has_ranges, BytesDone bytes_done);

  // Of a file whose length is not known: all of it, to whatever end.
  static RangePlan without_end();

  // Does anybody want some of these bytes now?
  using IsWanted = std::function<bool(ByteRange range)>;

  // The next range to ask for of those that are wanted, first pieces first; nothing when all of
  // them have been handed out.
  std::optional<ByteRange> next(const IsWanted& is_wanted);
  [[nodiscard]] bool has(const IsWanted& is_wanted) const;
  [[nodiscard]] bool exhausted() const noexcept { return waiting_.empty(); }
  // A range that did not come, or not all of it: what it lacks comes next again.
  void give_back(ByteRange range);

 private:
  [[nodiscard]] ByteRange missing(std::uint32_t number) const;

  PieceLayout layout_;
  bool by_pieces_;
  BytesDone bytes_done_;
  std::deque<ByteRange> waiting_;
};

}  // namespace perch::peer
