// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/piece_sink.h"

#include <algorithm>

#include "worker/peer/store/crc32c.h"

namespace perch::peer {

PieceSink::PieceSink(TaskFiles& files, ByteRange range, OnPiece on_piece)
    : files_(files), range_(range), on_piece_(std::move(on_piece)), at_(range.begin) {}

Result<void> PieceSink::put(std::span<const std::byte> data) {
  if (data.size() > range_.end - at_)
    return fail("the origin sends more than was asked for", EFBIG);
  while (!data.empty()) {
    const std::uint32_t number = files_.layout().piece_at(at_);
    const std::uint64_t left = files_.layout().piece(number).end - at_;
    const auto part = data.first(std::min<std::uint64_t>(data.size(), left));
    if (auto done = put_in_piece(number, part); !done) return done;
    data = data.subspan(part.size());
  }
  return {};
}

Result<void> PieceSink::put_in_piece(std::uint32_t number, std::span<const std::byte> data) {
  const bool known = files_.done(number);
  if (!known) {
    if (auto written = files_.write(at_, data); !written) return written;
    sum_ = crc32c(data, sum_);
  }
  at_ += data.size();
  if (at_ != files_.layout().piece(number).end) return {};
  const std::uint32_t sum = std::exchange(sum_, 0);
  if (known) return {};
  if (auto recorded = files_.finish_piece(number, sum); !recorded) return recorded;
  on_piece_(number);
  return {};
}

}  // namespace perch::peer
