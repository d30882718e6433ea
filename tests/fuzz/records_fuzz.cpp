// SPDX-License-Identifier: Apache-2.0
// Whatever is in a `state` file, no record claims more than its piece has, and what is believed is
// written and read again as the same.
#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "common/value/error.h"
#include "tests/fuzz/fuzz_target.h"
#include "worker/peer/store/piece_record.h"

namespace {

using namespace perch::peer;
using Bytes = std::span<const std::byte>;
using State = PieceRecord::State;

constexpr std::uint64_t kPieces = 1024;

// The next number of the input, which shrinks; zeros behind its end.
std::uint32_t take(Bytes& input) {
  std::uint32_t number = 0;
  const auto bytes = input.first(std::min(input.size(), sizeof number));
  if (!bytes.empty()) std::memcpy(&number, bytes.data(), bytes.size());
  input = input.subspan(bytes.size());
  return number;
}

std::vector<std::byte> state_of(std::span<const PieceRecord> records) {
  std::vector<std::byte> state;
  for (std::uint32_t number = 0; number < records.size(); ++number) {
    const RecordBytes bytes = record_bytes(number, records[number]);
    state.insert(state.end(), bytes.begin(), bytes.end());
  }
  return state;
}

void check(Bytes state, const PieceLayout& layout, std::uint32_t generation) {
  const ParsedRecords parsed = parse_records(state, layout, generation);
  PERCH_CHECK(parsed.records.size() == layout.count());
  for (std::uint32_t number = 0; number < layout.count(); ++number) {
    const PieceRecord& record = parsed.records[number];
    const std::uint64_t size = layout.piece(number).size();
    PERCH_CHECK(record.bytes_done <= size);
    PERCH_CHECK((record.state == State::Missing) == (record.bytes_done == 0));
    PERCH_CHECK((record.state == State::Done) == (record.bytes_done == size));
    PERCH_CHECK(record.state == State::Missing ? record == PieceRecord{}
                                               : record.generation == generation);
  }
  const ParsedRecords again = parse_records(state_of(parsed.records), layout, generation);
  PERCH_CHECK(again.records == parsed.records && again.refused == 0);
}

// The input's numbers as records that vouch for themselves, whatever they claim.
std::vector<std::byte> vouched(Bytes input) {
  std::vector<PieceRecord> records;
  while (!input.empty()) {
    PieceRecord& record = records.emplace_back();
    record.bytes_done = take(input);
    record.crc32c = take(input);
    record.generation = take(input);
    record.state = take(input) % 2 == 0 ? State::Partial : State::Done;
  }
  return state_of(records);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes input = std::as_bytes(std::span(data, size));
  const std::uint64_t piece_length = 1 + take(input) % kMaxPieceLength;
  const PieceLayout layout{take(input) % (kPieces * piece_length), piece_length};
  const std::uint32_t generation = take(input);
  check(input, layout, generation);
  check(vouched(input), layout, generation);
  return 0;
}
