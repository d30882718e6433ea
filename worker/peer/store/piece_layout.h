// SPDX-License-Identifier: Apache-2.0
// PieceLayout: how a file of a known length is cut into pieces of one length, the last one shorter.
// Pure arithmetic.
#pragma once

#include <cstdint>

namespace perch::peer {

inline constexpr std::uint64_t kMinPieceLength = 4ULL << 20U;
inline constexpr std::uint64_t kMaxPieceLength = 64ULL << 20U;
// Bounds the state file, what is held of it in memory, and the message that lists all pieces.
inline constexpr std::uint64_t kMaxPieces = 1U << 15U;

// Bytes [begin, end).
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] std::uint64_t size() const noexcept { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

struct PieceLayout {
  std::uint64_t length = 0;
  std::uint64_t piece_length = kMinPieceLength;

  // Pieces of 1 byte to kMaxPieceLength, kMaxPieces at most. What comes from a file or an origin is
  // asked first; the rest below is only for such a layout.
  [[nodiscard]] bool possible() const noexcept;
  [[nodiscard]] std::uint32_t count() const noexcept;
  [[nodiscard]] ByteRange piece(std::uint32_t number) const noexcept;
  // The piece that holds the byte at `offset`.
  [[nodiscard]] std::uint32_t piece_at(std::uint64_t offset) const noexcept;
  bool operator==(const PieceLayout&) const = default;
};

// Dragonfly's choice: the power of two that gives some 500 pieces, from 4 MiB to 64 MiB.
std::uint64_t piece_length_for(std::uint64_t content_length) noexcept;

}  // namespace perch::peer
