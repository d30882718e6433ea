// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/piece_layout.h"

#include <algorithm>
#include <bit>

namespace perch::peer {
namespace {

constexpr std::uint64_t kWantedPieces = 500;

}  // namespace

bool PieceLayout::possible() const noexcept {
  return piece_length > 0 && piece_length <= kMaxPieceLength && length <= kMaxPieces * piece_length;
}

std::uint32_t PieceLayout::count() const noexcept {
  return static_cast<std::uint32_t>((length + piece_length - 1) / piece_length);
}

ByteRange PieceLayout::piece(std::uint32_t number) const noexcept {
  const std::uint64_t begin = number * piece_length;
  return {begin, std::min(begin + piece_length, length)};
}

std::uint32_t PieceLayout::piece_at(std::uint64_t offset) const noexcept {
  return static_cast<std::uint32_t>(offset / piece_length);
}

std::uint64_t piece_length_for(std::uint64_t content_length) noexcept {
  const std::uint64_t share = content_length / kWantedPieces;
  if (share >= kMaxPieceLength) return kMaxPieceLength;  // bit_ceil of more might overflow
  return std::clamp(std::bit_ceil(share), kMinPieceLength, kMaxPieceLength);
}

}  // namespace perch::peer
