// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/piece_sink.h"

#include <algorithm>
#include <array>
#include <utility>

namespace perch::peer {
namespace {

constexpr std::size_t kCompareBlock = 16U << 10U;

}  // namespace

PieceSink::PieceSink(TaskFiles& files, ByteRange range, OnPiece on_piece)
    : files_(files), range_(range), on_piece_(std::move(on_piece)), at_(range.begin) {}

std::optional<Failure> PieceSink::put(std::span<const std::byte> data) {
  const std::uint64_t wanted = range_.end - at_;
  overflowed_ = overflowed_ || data.size() > wanted;
  data = data.first(std::min<std::uint64_t>(data.size(), wanted));
  const std::uint64_t piece_length = files_.layout().piece_length;
  while (!data.empty()) {
    const std::uint32_t number = files_.layout().piece_at(at_);
    const std::uint64_t begin = number * piece_length;
    const std::uint64_t there = begin + files_.bytes_done(number);
    const bool known = at_ < there;
    const std::uint64_t end = known ? there : begin + piece_length;
    const auto part = data.first(std::min<std::uint64_t>(data.size(), end - at_));
    if (auto failure = known ? compare(part) : store(number, part)) return failure;
    at_ += part.size();
    data = data.subspan(part.size());
  }
  return std::nullopt;
}

std::optional<Failure> PieceSink::compare(std::span<const std::byte> data) {
  std::array<std::byte, kCompareBlock> block;
  for (std::uint64_t at = at_; !data.empty();) {
    const auto stored = std::span(block).first(std::min(block.size(), data.size()));
    if (auto got = files_.read(at, stored); !got) return failure_of(got.error());
    if (!std::ranges::equal(stored, data.first(stored.size()))) {
      return changed_file();
    }
    compared_ += stored.size();
    at += stored.size();
    data = data.subspan(stored.size());
  }
  return std::nullopt;
}

std::optional<Failure> PieceSink::store(std::uint32_t number, std::span<const std::byte> data) {
  if (number >= kMaxPieces) {
    return Failure{Failure::Kind::Unsupported, "the origin's file has no end, or none in sight"};
  }
  if (auto stored = files_.append(number, data); !stored) return failure_of(stored.error());
  stored_ += data.size();
  if (files_.done(number)) on_piece_(number);
  return std::nullopt;
}

}  // namespace perch::peer
