// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/range_plan.h"

#include <doctest/doctest.h>

#include <vector>

namespace perch::peer {
namespace {

std::vector<ByteRange> all_of(RangePlan plan) {
  std::vector<ByteRange> ranges;
  while (const auto range = plan.next()) ranges.push_back(*range);
  return ranges;
}

}  // namespace

TEST_CASE("each missing piece is one request, in order") {
  const PieceLayout layout{10, 4};
  const RangePlan plan(layout, true, [](std::uint32_t number) { return number == 1; });
  CHECK(all_of(plan) == std::vector<ByteRange>{{0, 4}, {8, 10}});
}

TEST_CASE("without ranges the whole file is asked for, if anything is missing") {
  const PieceLayout layout{10, 4};
  CHECK(all_of({layout, false, [](std::uint32_t number) { return number < 2; }}) ==
        std::vector<ByteRange>{{0, 10}});
  CHECK(all_of({layout, false, [](std::uint32_t) { return true; }}).empty());
}

TEST_CASE("a range that failed comes next again") {
  const PieceLayout layout{10, 4};
  RangePlan plan(layout, true, [](std::uint32_t) { return false; });
  const auto first = plan.next();
  plan.give_back(*first);
  CHECK(plan.next() == first);
  CHECK(plan.next() == ByteRange{4, 8});
}

TEST_CASE("an empty file needs no request") {
  CHECK(all_of({{0, 4}, true, [](std::uint32_t) { return false; }}).empty());
  CHECK(all_of({{0, 4}, false, [](std::uint32_t) { return false; }}).empty());
}

}  // namespace perch::peer
