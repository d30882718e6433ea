// SPDX-License-Identifier: Apache-2.0
// PieceSink: takes the body of one answer to disk, as it comes, and knows where pieces begin and
// end. Bytes that are stored already are compared, not written: an origin without ranges sends them
// again, and a file of which they are the beginning is the same file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "worker/peer/download/failure.h"
#include "worker/peer/store/task_files.h"

namespace perch::peer {

class PieceSink {
 public:
  using OnPiece = std::function<void(std::uint32_t number)>;

  // `on_piece` is called for each piece that becomes whole.
  PieceSink(TaskFiles& files, ByteRange range, OnPiece on_piece);

  // What is over the range is not taken. Changed: not the bytes that are stored.
  std::optional<Failure> put(std::span<const std::byte> data);

  [[nodiscard]] bool full() const noexcept { return at_ == range_.end; }
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  [[nodiscard]] std::uint64_t at() const noexcept { return at_; }
  [[nodiscard]] std::uint64_t compared() const noexcept { return compared_; }
  [[nodiscard]] std::uint64_t stored() const noexcept { return stored_; }

 private:
  std::optional<Failure> compare(std::span<const std::byte> data);
  std::optional<Failure> store(std::uint32_t number, std::span<const std::byte> data);

  TaskFiles& files_;
  ByteRange range_;
  OnPiece on_piece_;
  std::uint64_t at_;
  std::uint64_t compared_ = 0;
  std::uint64_t stored_ = 0;
  bool overflowed_ = false;
};

}  // namespace perch::peer
