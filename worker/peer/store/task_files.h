// SPDX-License-Identifier: Apache-2.0
// TaskFiles: one task's directory, open. `data` has the file's final layout, `state` the piece
// records, `manifest` says what they are. The order of writing makes it safe to be killed anywhere:
// data before its record, and a manifest only once the other two exist. What an earlier process of
// this boot recorded is believed; after a reboot, or where a file is not as it was left, the caller
// has each finished piece verified and says believe().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/directory.h"
#include "worker/peer/store/manifest.h"
#include "worker/peer/store/piece_records.h"

namespace perch::peer {

// What all tasks of a store share.
struct StoreContext {
  std::string boot_id;  // empty: nothing of an earlier process is believed
  // One line for the log: what is wrong with which file, and what happens now.
  std::function<void(const std::string& line)> on_fault;
  // A longer file is refused: what is in use is not collected, so nothing would make room for it.
  std::optional<std::uint64_t> max_bytes = {};
};

class TaskFiles {
 public:
  // What is there. ENOENT in the error when no manifest is; no code when the task can only be begun
  // anew, with the reason.
  static Result<TaskFiles> open(Directory task, const std::string& id, const StoreContext& context);
  // Begins anew, whatever was there before. ENOSPC or EDQUOT when the file will not fit,
  // EFBIG when it never would.
  static Result<TaskFiles> create(Directory task, Manifest manifest, const StoreContext& context);
  // A file whose length only its end will tell: layout().length is what has come so far. Without a
  // manifest until settle(), it does not outlive the process.
  static Result<TaskFiles> create_unsized(Directory task, Manifest manifest,
                                          const StoreContext& context);

  [[nodiscard]] const Manifest& manifest() const noexcept { return manifest_; }
  [[nodiscard]] const PieceLayout& layout() const noexcept { return manifest_.layout; }
  [[nodiscard]] bool done(std::uint32_t number) const;
  [[nodiscard]] std::uint32_t done_count() const { return peer::done_count(records_.all()); }
  // Of the piece, from its beginning: how many bytes are there, and their CRC-32C.
  [[nodiscard]] std::uint64_t bytes_done(std::uint32_t number) const;
  [[nodiscard]] std::uint32_t crc_of(std::uint32_t number) const;
  [[nodiscard]] int data_fd() const noexcept { return data_.get(); }
  [[nodiscard]] std::string data_path() const;

  // Each piece that is done is to be verified, then all are believed. Nothing else before that. A
  // finished task of which all are still good stays finished.
  [[nodiscard]] bool needs_check() const noexcept { return needs_check_; }
  Result<void> believe();
  // Reads what is recorded of a piece and compares its checksum; what does not match is forgotten.
  // Whether it does match, and there is something.
  Result<bool> verify(std::uint32_t number);
  // It is to come again: the task is not finished until it is marked so once more.
  Result<void> forget(std::uint32_t number);

  // The next bytes of a piece, no more than it lacks.
  Result<void> append(std::uint32_t number, std::span<const std::byte> data);
  Result<void> read(std::uint64_t offset, std::span<std::byte> data) const;
  // The file has ended, and has this length, or the reason why not.
  Result<void> settle(std::uint64_t length);
  // All pieces are done, and the whole has this digest, if any was asked for. Syncs the data; where
  // that fails there is no task any more.
  Result<void> mark_finished(const std::string& digest);
  // The task is in use: what is unused for long may be collected.
  Result<void> touch();

 private:
  TaskFiles(Directory task, Manifest manifest, UniqueFd data, PieceRecords records,
            StoreContext context);
  static Result<TaskFiles> begin(Directory task, Manifest manifest, const StoreContext& context);
  [[nodiscard]] Result<void> sync_data() const;
  [[nodiscard]] Error at_state(Error error) const;
  void say(const std::string& what) const;

  Directory task_;
  Manifest manifest_;
  UniqueFd data_;
  PieceRecords records_;
  StoreContext context_;
  bool needs_check_ = false;
  bool unsized_ = false;
};

}  // namespace perch::peer
