// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/piece_record.h"

#include <algorithm>
#include <cstring>

#include "worker/peer/store/crc32c.h"

namespace perch::peer {
namespace {

using Words = std::array<std::uint32_t, 4>;  // bytes done, checksum, generation, seal
static_assert(sizeof(Words) == kRecordSize);

std::uint32_t seal_of(std::uint32_t number, const PieceRecord& record) {
  const std::array words{number, record.bytes_done, record.crc32c, record.generation,
                         static_cast<std::uint32_t>(record.state)};
  return crc32c(std::as_bytes(std::span(words)));
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

// Missing unless everything fits.
PieceRecord parse_record(std::span<const std::byte> bytes, std::uint32_t number, std::uint64_t size,
                         std::uint32_t generation) {
  Words words{};
  if (bytes.size() < sizeof words) return {};
  std::memcpy(words.data(), bytes.data(), sizeof words);
  const auto& [bytes_done, sum, written_in, seal] = words;
  const auto state = bytes_done == size ? PieceRecord::State::Done : PieceRecord::State::Partial;
  const PieceRecord record{bytes_done, sum, state, written_in};
  const bool fits = bytes_done > 0 && bytes_done <= size && written_in == generation;
  return fits && seal == seal_of(number, record) ? record : PieceRecord{};
}

}  // namespace

RecordBytes record_bytes(std::uint32_t number, const PieceRecord& record) {
  RecordBytes bytes{};
  if (record.state == PieceRecord::State::Missing) return bytes;
  const Words words{record.bytes_done, record.crc32c, record.generation, seal_of(number, record)};
  std::memcpy(bytes.data(), words.data(), sizeof words);
  return bytes;
}

ParsedRecords parse_records(std::span<const std::byte> state, const PieceLayout& layout,
                            std::uint32_t generation) {
  ParsedRecords parsed{std::vector<PieceRecord>(layout.count()), 0};
  for (std::uint32_t number = 0; number < parsed.records.size() && !state.empty(); ++number) {
    const auto bytes = state.first(std::min(state.size(), kRecordSize));
    state = state.subspan(bytes.size());
    PieceRecord& record = parsed.records[number];
    record = parse_record(bytes, number, layout.piece(number).size(), generation);
    if (record.state == PieceRecord::State::Missing && !is_zero(bytes)) ++parsed.refused;
  }
  if (!state.empty()) ++parsed.refused;
  return parsed;
}

}  // namespace perch::peer
