// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/piece_records.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <numeric>

#include "common/posix/file.h"
#include "worker/peer/store/crc32c.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

constexpr const char* kName = "state";
// Of the greatest file, and room to see that one is too long.
constexpr std::size_t kMaxStateSize = kRecordSize * (kMaxPieces + 1);

}  // namespace

Result<PieceRecords> PieceRecords::create(const Directory& task, const Manifest& manifest) {
  auto file = task.file(kName, O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return std::unexpected(std::move(file.error()));
  PieceRecords records(std::move(*file), std::vector<PieceRecord>(manifest.layout.count()),
                       manifest.generation);
  if (auto saved = records.save(); !saved) {
    return fail_within(task.path_of(kName), std::move(saved.error()));
  }
  return records;
}

Result<PieceRecords> PieceRecords::open(const Directory& task, const Manifest& manifest,
                                        ParsedRecords parsed) {
  auto file = task.file(kName, O_RDWR | O_CREAT);
  if (!file) return std::unexpected(std::move(file.error()));
  return PieceRecords(std::move(*file), std::move(parsed.records), manifest.generation);
}

Result<ParsedRecords> PieceRecords::read(const Directory& task, const Manifest& manifest) {
  const auto file = task.file(kName, O_RDONLY);
  if (!file && !file.error().is(ENOENT)) return std::unexpected(file.error());
  std::string state;
  if (file) {
    auto text = read_open_file(file->get(), kMaxStateSize);
    // Too long is as foreign as it can be.
    if (!text && !text.error().is(EFBIG)) return fail_within(task.path_of(kName), text.error());
    if (text) state = std::move(*text);
  }
  auto parsed =
      parse_records(std::as_bytes(std::span(state)), manifest.layout, manifest.generation);
  // What the file lacks is a fault too: it was made whole before the manifest.
  if (state.size() < parsed.records.size() * kRecordSize) ++parsed.refused;
  return parsed;
}

PieceRecords::PieceRecords(UniqueFd file, std::vector<PieceRecord> records,
                           std::uint32_t generation)
    : file_(std::move(file)), records_(std::move(records)), generation_(generation) {}

PieceRecord PieceRecords::at(std::uint32_t number) const {
  return number < records_.size() ? records_[number] : PieceRecord{};
}

Result<void> PieceRecords::advance(std::uint32_t number, std::span<const std::byte> data,
                                   std::uint64_t size) {
  PieceRecord record = at(number);
  record.bytes_done += static_cast<std::uint32_t>(data.size());
  record.crc32c = crc32c(data, record.crc32c);
  record.state = record.bytes_done == size ? PieceRecord::State::Done : PieceRecord::State::Partial;
  record.generation = generation_;
  return put(number, record);
}

Result<void> PieceRecords::forget(std::uint32_t number) { return put(number, {}); }

void PieceRecords::drop_partial() {
  for (PieceRecord& record : records_) {
    if (record.state == PieceRecord::State::Partial) record = {};
  }
}

Result<void> PieceRecords::save() {
  std::vector<std::byte> state;
  state.reserve(records_.size() * kRecordSize);
  for (std::uint32_t number = 0; number < records_.size(); ++number) {
    const RecordBytes bytes = record_bytes(number, records_[number]);
    state.insert(state.end(), bytes.begin(), bytes.end());
  }
  // Written out even where it is all zeros: the disk's room is taken now.
  if (auto written = write_whole(file_.get(), 0, state); !written) return written;
  if (::ftruncate(file_.get(), static_cast<off_t>(state.size())) != 0) return fail("resize");
  return {};
}

Result<void> PieceRecords::sync() {
  if (::fsync(file_.get()) != 0) return fail("fsync state");
  return {};
}

Result<void> PieceRecords::touch() {
  if (::futimens(file_.get(), nullptr) != 0) return fail("touch state");
  return {};
}

Result<void> PieceRecords::put(std::uint32_t number, const PieceRecord& record) {
  const RecordBytes bytes = record_bytes(number, record);
  auto written = write_whole(file_.get(), std::uint64_t{number} * kRecordSize, bytes);
  if (!written) return fail_within("state", std::move(written.error()));
  if (number >= records_.size()) records_.resize(number + 1);
  records_[number] = record;
  return {};
}

std::uint32_t done_count(std::span<const PieceRecord> records) {
  return static_cast<std::uint32_t>(
      std::ranges::count(records, PieceRecord::State::Done, &PieceRecord::state));
}

std::uint64_t bytes_done(std::span<const PieceRecord> records) {
  return std::accumulate(
      records.begin(), records.end(), std::uint64_t{0},
      [](std::uint64_t sum, const PieceRecord& r) { return sum + r.bytes_done; });
}

}  // namespace perch::peer
