// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/piece_sink.h"

#include <algorithm>

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
  const std::uint64_t known = files_.layout().piece(number).begin + files_.bytes_done(number);
  const std::uint64_t end = at_ + data.size();
  PERCH_CHECK(at_ <= known);
  if (end > known) {
    // What an earlier connection brought is passed over.
    const auto fresh = data.last(std::min<std::uint64_t>(data.size(), end - known));
    if (auto written = files_.append(number, fresh); !written) return written;
    if (files_.done(number)) on_piece_(number);
  }
  at_ = end;
  return {};
}

}  // namespace perch::peer
