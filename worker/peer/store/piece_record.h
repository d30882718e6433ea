// SPDX-License-Identifier: Apache-2.0
// PieceRecord: how far a piece has come, 16 bytes in a task's `state` file in this machine's byte
// order. It is sealed: its last word depends on all the others and on the piece's number. A torn
// record, one of another file, place or generation, or one that claims more than the piece has,
// reads as "missing". Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

struct PieceRecord {
  enum class State : std::uint32_t { Missing, Partial, Done };

  std::uint32_t bytes_done = 0;
  std::uint32_t crc32c = 0;  // of those bytes
  State state = State::Missing;
  std::uint32_t generation = 0;

  bool operator==(const PieceRecord&) const = default;
};

inline constexpr std::size_t kRecordSize = 16;
using RecordBytes = std::array<std::byte, kRecordSize>;

// What is written for piece `number`; all zeros for a missing one.
RecordBytes record_bytes(std::uint32_t number, const PieceRecord& record);

struct ParsedRecords {
  std::vector<PieceRecord> records;  // one a piece of the layout
  std::uint32_t refused = 0;         // that were neither missing nor to be believed
};
// Of a whole `state` file, of whatever length: what it lacks is missing, what it has over is
// refused.
ParsedRecords parse_records(std::span<const std::byte> state, const PieceLayout& layout,
                            std::uint32_t generation);

}  // namespace perch::peer
