// SPDX-License-Identifier: Apache-2.0
// PieceSink: takes the body of one answer to disk, as it comes. It knows where pieces begin and
// end, and passes over what the store has already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "common/value/error.h"
#include "worker/peer/store/task_files.h"

namespace perch::peer {

class PieceSink {
 public:
  using OnPiece = std::function<void(std::uint32_t number)>;

  // `range` begins within what the store has of its first piece, or right behind it.
  PieceSink(TaskFiles& files, ByteRange range, OnPiece on_piece);

  // EFBIG when the body is longer than the range.
  Result<void> put(std::span<const std::byte> data);
  [[nodiscard]] bool full() const noexcept { return at_ == range_.end; }

 private:
  Result<void> put_in_piece(std::uint32_t number, std::span<const std::byte> data);

  TaskFiles& files_;
  ByteRange range_;
  OnPiece on_piece_;
  std::uint64_t at_;
};

}  // namespace perch::peer
