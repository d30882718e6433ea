// SPDX-License-Identifier: Apache-2.0
// PieceRecords: a task's `state` file, one record of 16 bytes a piece, in this machine's byte
// order. A record is written after the piece's data, by one pwrite: the page cache survives the
// process, so after SIGKILL a record that says "done" has its data before it. A record of another
// generation, a torn one or one of a foreign file says nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

struct PieceRecord {
  enum class State : std::uint32_t { Missing = 0, Done = 0x656e6f64 /* "done" */ };

  std::uint32_t bytes_done = 0;
  std::uint32_t crc32c = 0;
  State state = State::Missing;
  std::uint32_t generation = 0;
};
static_assert(sizeof(PieceRecord) == 16);

class PieceRecords {
 public:
  // Reads what is there, and makes the file as long as the layout needs.
  static Result<PieceRecords> open(const std::string& path, const PieceLayout& layout,
                                   std::uint32_t generation);

  [[nodiscard]] bool done(std::uint32_t number) const;
  [[nodiscard]] std::uint32_t crc_of(std::uint32_t number) const {
    return records_.at(number).crc32c;
  }
  [[nodiscard]] std::uint32_t done_count() const;

  Result<void> set_done(std::uint32_t number, std::uint32_t crc32c);
  Result<void> forget(std::uint32_t number);

 private:
  PieceRecords(UniqueFd file, std::vector<PieceRecord> records, const PieceLayout& layout,
               std::uint32_t generation);
  Result<void> put(std::uint32_t number, const PieceRecord& record);

  UniqueFd file_;
  std::vector<PieceRecord> records_;
  PieceLayout layout_;
  std::uint32_t generation_;
};

}  // namespace perch::peer
