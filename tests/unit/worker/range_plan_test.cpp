// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/range_plan.h"

#include <doctest/doctest.h>

#include <vector>

namespace perch::peer {
namespace {

bool anything(ByteRange /*range*/) { return true; }

std::vector<ByteRange> all_of(RangePlan plan) {
  std::vector<ByteRange> ranges;
  while (const auto range = plan.next(anything)) ranges.push_back(*range);
  return ranges;
}

}  // namespace

TEST_CASE("each missing piece is one request, in order") {
  const PieceLayout layout{10, 4};
  const RangePlan plan(layout, true, [](std::uint32_t number) { return number == 1 ? 4 : 0; });
  CHECK(all_of(plan) == std::vector<ByteRange>{{0, 4}, {8, 10}});
}

TEST_CASE("what is there of a piece is not asked for again") {
  const PieceLayout layout{10, 4};
  const RangePlan plan(layout, true, [](std::uint32_t number) { return number == 0 ? 3 : 1; });
  CHECK(all_of(plan) == std::vector<ByteRange>{{3, 4}, {5, 8}, {9, 10}});
}

TEST_CASE("without ranges the whole file is asked for, if anything is missing") {
  const PieceLayout layout{10, 4};
  CHECK(all_of({layout, false, [](std::uint32_t number) { return number < 2 ? 4 : 1; }}) ==
        std::vector<ByteRange>{{0, 10}});
  CHECK(all_of({layout, false, [&](std::uint32_t number) { return layout.piece(number).size(); }})
            .empty());
}

TEST_CASE("a range that did not come, or not all of it, comes next again") {
  const PieceLayout layout{10, 4};
  std::uint64_t came = 0;
  RangePlan plan(layout, true, [&](std::uint32_t number) { return number == 0 ? came : 0; });
  const auto first = plan.next(anything);
  plan.give_back(*first);
  CHECK(plan.next(anything) == first);
  came = 3;
  plan.give_back(*first);
  CHECK(plan.next(anything) == ByteRange{3, 4});
  CHECK(plan.next(anything) == ByteRange{4, 8});
  CHECK_FALSE(plan.exhausted());
}

TEST_CASE("what nobody wants waits until somebody does") {
  const PieceLayout layout{10, 4};
  RangePlan plan(layout, true, [](std::uint32_t) { return 0; });
  const auto in_the_middle = [](ByteRange range) { return range.begin == 4; };
  CHECK(plan.has(in_the_middle));
  CHECK(plan.next(in_the_middle) == ByteRange{4, 8});
  CHECK_FALSE(plan.has(in_the_middle));
  CHECK_FALSE(plan.next(in_the_middle));
  CHECK_FALSE(plan.exhausted());
  CHECK(all_of(plan) == std::vector<ByteRange>{{0, 4}, {8, 10}});
}

TEST_CASE("a range of which all came does not come again") {
  std::uint64_t came = 0;
  RangePlan plan({4, 4}, true, [&](std::uint32_t) { return came; });
  const auto range = plan.next(anything);
  came = 4;
  plan.give_back(*range);
  CHECK(plan.exhausted());
}

TEST_CASE("a file without a known length is one range without an end") {
  RangePlan plan = RangePlan::without_end();
  CHECK(plan.next(anything)->begin == 0);
  CHECK(plan.exhausted());
}

TEST_CASE("an empty file needs no request") {
  CHECK(all_of({{0, 4}, true, [](std::uint32_t) { return 0; }}).empty());
  CHECK(all_of({{0, 4}, false, [](std::uint32_t) { return 0; }}).empty());
}

}  // namespace perch::peer
