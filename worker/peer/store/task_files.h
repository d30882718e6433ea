// SPDX-License-Identifier: Apache-2.0
// TaskFiles: one task's directory, open. `data` has the file's final layout, `state` the piece
// records, `manifest` says what they are. The order of writing makes it safe to be killed anywhere:
// data before its record, and a manifest only once the other two exist. What an earlier life wrote
// is believed piece by piece, after verify().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/manifest.h"
#include "worker/peer/store/piece_records.h"

namespace perch::peer {

class TaskFiles {
 public:
  // What is there; an error with ENOENT when no manifest is.
  static Result<TaskFiles> open(const std::string& directory);
  // Begins anew, whatever was there before. ENOSPC when the file will not fit on the disk.
  static Result<TaskFiles> create(const std::string& directory, const Manifest& manifest);

  [[nodiscard]] const Manifest& manifest() const noexcept { return manifest_; }
  [[nodiscard]] const PieceLayout& layout() const noexcept { return manifest_.layout; }
  [[nodiscard]] bool done(std::uint32_t number) const { return records_.done(number); }
  [[nodiscard]] std::uint32_t done_count() const { return records_.done_count(); }
  [[nodiscard]] std::uint32_t crc_of(std::uint32_t number) const { return records_.crc_of(number); }
  [[nodiscard]] int data_fd() const noexcept { return data_.get(); }
  [[nodiscard]] std::string data_path() const { return directory_ + "/data"; }

  // Reads a piece that is recorded as done and compares its checksum; one that does not match is
  // forgotten. Whether the piece is good.
  Result<bool> verify(std::uint32_t number);

  Result<void> write(std::uint64_t offset, std::span<const std::byte> data);
  Result<void> finish_piece(std::uint32_t number, std::uint32_t crc32c);
  Result<void> read(std::uint64_t offset, std::span<std::byte> data) const;

 private:
  TaskFiles(std::string directory, Manifest manifest, UniqueFd data, PieceRecords records);

  std::string directory_;
  Manifest manifest_;
  UniqueFd data_;
  PieceRecords records_;
};

}  // namespace perch::peer
