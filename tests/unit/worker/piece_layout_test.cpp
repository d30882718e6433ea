// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/piece_layout.h"

#include <doctest/doctest.h>

#include <limits>

namespace perch::peer {

constexpr std::uint64_t kMiB = 1ULL << 20U;
constexpr std::uint64_t kGiB = 1ULL << 30U;

TEST_CASE("some 500 pieces, between 4 and 64 MiB") {
  CHECK(piece_length_for(0) == 4 * kMiB);
  CHECK(piece_length_for(4 * kMiB * 500) == 4 * kMiB);
  CHECK(piece_length_for((4 * kMiB * 500) + 500) == 8 * kMiB);
  CHECK(piece_length_for(10 * kGiB) == 32 * kMiB);
  CHECK(piece_length_for(1000 * kGiB) == 64 * kMiB);
  CHECK(piece_length_for(std::numeric_limits<std::uint64_t>::max()) == 64 * kMiB);
}

TEST_CASE("pieces cover the file exactly") {
  const PieceLayout layout{10, 4};
  CHECK(layout.count() == 3);
  CHECK(layout.piece(0) == ByteRange{0, 4});
  CHECK(layout.piece(2) == ByteRange{8, 10});
  CHECK(layout.piece_at(7) == 1);
  CHECK(layout.piece_at(8) == 2);
  CHECK(PieceLayout{8, 4}.count() == 2);
  CHECK(PieceLayout{1, 4}.count() == 1);
  CHECK(PieceLayout{0, 4}.count() == 0);
}

}  // namespace perch::peer
