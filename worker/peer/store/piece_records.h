// SPDX-License-Identifier: Apache-2.0
// PieceRecords: a task's `state` file, open. A record is written after the piece's data, by one
// pwrite: the page cache survives the process, so after SIGKILL every byte that a record counts is
// in `data`.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/directory.h"
#include "worker/peer/store/manifest.h"
#include "worker/peer/store/piece_record.h"

namespace perch::peer {

class PieceRecords {
 public:
  // An empty file, which a kill leaves to nobody: the manifest comes later.
  static Result<PieceRecords> create(const Directory& task, const Manifest& manifest);
  // `parsed` is what was read of the file; a missing file is made.
  static Result<PieceRecords> open(const Directory& task, const Manifest& manifest,
                                   ParsedRecords parsed);
  // What the file says; nothing where it is missing.
  static Result<ParsedRecords> read(const Directory& task, const Manifest& manifest);

  // A missing one beyond the last.
  [[nodiscard]] PieceRecord at(std::uint32_t number) const;
  [[nodiscard]] const std::vector<PieceRecord>& all() const noexcept { return records_; }

  // `data` was written behind what the piece had; it is done when it has `size` bytes.
  Result<void> advance(std::uint32_t number, std::span<const std::byte> data, std::uint64_t size);
  Result<void> forget(std::uint32_t number);
  // In memory only, until save(): pieces that are not whole.
  void drop_partial();
  // The file anew, of these records alone.
  Result<void> save();
  Result<void> sync();
  // The file's time is the task's last use.
  Result<void> touch();

 private:
  PieceRecords(UniqueFd file, std::vector<PieceRecord> records, std::uint32_t generation);
  Result<void> put(std::uint32_t number, const PieceRecord& record);

  UniqueFd file_;
  std::vector<PieceRecord> records_;
  std::uint32_t generation_;
};

std::uint32_t done_count(std::span<const PieceRecord> records);
std::uint64_t bytes_done(std::span<const PieceRecord> records);

}  // namespace perch::peer
