// SPDX-License-Identifier: Apache-2.0
// PieceSink: takes the body of one answer to disk, as it comes. It knows where pieces begin and
// end, sums each one up, records it when it is whole, and passes over pieces that are done already.
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

  // `range` begins where a piece begins.
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
  std::uint32_t sum_ = 0;  // of the piece that at_ is in, as far as at_
};

}  // namespace perch::peer
