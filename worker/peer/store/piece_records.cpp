// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/piece_records.h"

#include <fcntl.h>

#include <algorithm>
#include <span>

#include "common/posix/file.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {

Result<PieceRecords> PieceRecords::open(const std::string& path, const PieceLayout& layout,
                                        std::uint32_t generation) {
  auto file = open_file(path, O_RDWR | O_CREAT, 0600);
  if (!file) return std::unexpected(std::move(file.error()));
  std::vector<PieceRecord> records(layout.count());
  const auto bytes = std::as_writable_bytes(std::span(records));
  // Grown first: what a torn file lacks then reads as zeros, which is "missing".
  if (::ftruncate(file->get(), static_cast<off_t>(bytes.size())) != 0) {
    return fail("resize " + path);
  }
  if (auto got = read_whole(file->get(), 0, bytes); !got) {
    return fail_within(path, std::move(got.error()));
  }
  return PieceRecords(std::move(*file), std::move(records), layout, generation);
}

PieceRecords::PieceRecords(UniqueFd file, std::vector<PieceRecord> records,
                           const PieceLayout& layout, std::uint32_t generation)
    : file_(std::move(file)),
      records_(std::move(records)),
      layout_(layout),
      generation_(generation) {}

bool PieceRecords::done(std::uint32_t number) const {
  const PieceRecord& record = records_.at(number);
  return record.state == PieceRecord::State::Done && record.generation == generation_ &&
         record.bytes_done == layout_.piece(number).size();
}

std::uint32_t PieceRecords::done_count() const {
  std::uint32_t count = 0;
  for (std::uint32_t number = 0; number < records_.size(); ++number) {
    if (done(number)) ++count;
  }
  return count;
}

Result<void> PieceRecords::set_done(std::uint32_t number, std::uint32_t crc32c) {
  const auto size = static_cast<std::uint32_t>(layout_.piece(number).size());
  return put(number, {size, crc32c, PieceRecord::State::Done, generation_});
}

Result<void> PieceRecords::forget(std::uint32_t number) { return put(number, {}); }

Result<void> PieceRecords::put(std::uint32_t number, const PieceRecord& record) {
  const auto offset = number * std::uint64_t{sizeof record};
  auto written = write_whole(file_.get(), offset, std::as_bytes(std::span(&record, 1)));
  if (!written) return fail_within("state", std::move(written.error()));
  records_.at(number) = record;
  return {};
}

}  // namespace perch::peer
