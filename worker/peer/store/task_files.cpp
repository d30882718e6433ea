// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/task_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "common/posix/file.h"
#include "worker/peer/store/crc32c.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

constexpr std::size_t kReadBlock = 256U << 10U;

Result<void> remove_if_there(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail("unlink " + path);
  return {};
}

Result<UniqueFd> open_data(const std::string& directory, std::uint64_t length) {
  auto data = open_file(directory + "/data", O_RDWR | O_CREAT, 0600);
  if (!data || length == 0) return data;
  // Room is taken at the start, so that a full disk shows before the download and not in it.
  if (::fallocate(data->get(), 0, 0, static_cast<off_t>(length)) == 0) return data;
  if (errno != EOPNOTSUPP)
    return fail("reserve " + std::to_string(length) + " bytes in " + directory);
  if (::ftruncate(data->get(), static_cast<off_t>(length)) != 0) return fail("resize " + directory);
  return data;
}

}  // namespace

TaskFiles::TaskFiles(std::string directory, Manifest manifest, UniqueFd data, PieceRecords records)
    : directory_(std::move(directory)),
      manifest_(std::move(manifest)),
      data_(std::move(data)),
      records_(std::move(records)) {}

Result<TaskFiles> TaskFiles::open(const std::string& directory) {
  auto manifest = load_manifest(directory);
  if (!manifest) return std::unexpected(std::move(manifest.error()));
  auto data = open_data(directory, manifest->layout.length);
  if (!data) return std::unexpected(std::move(data.error()));
  auto records = PieceRecords::open(directory + "/state", manifest->layout, manifest->generation);
  if (!records) return std::unexpected(std::move(records.error()));
  return TaskFiles(directory, std::move(*manifest), std::move(*data), std::move(*records));
}

Result<TaskFiles> TaskFiles::create(const std::string& directory, const Manifest& manifest) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail("mkdir " + directory);
  // The old manifest goes first: from here until the new one stands there is no task.
  for (const char* name : {"/manifest", "/state", "/data"}) {
    if (auto gone = remove_if_there(directory + name); !gone) {
      return std::unexpected(std::move(gone.error()));
    }
  }
  auto data = open_data(directory, manifest.layout.length);
  if (!data) return std::unexpected(std::move(data.error()));
  auto records = PieceRecords::open(directory + "/state", manifest.layout, manifest.generation);
  if (!records) return std::unexpected(std::move(records.error()));
  if (auto saved = save_manifest(directory, manifest); !saved) {
    return std::unexpected(std::move(saved.error()));
  }
  return TaskFiles(directory, manifest, std::move(*data), std::move(*records));
}

Result<bool> TaskFiles::verify(std::uint32_t number) {
  if (!done(number)) return false;
  const ByteRange piece = layout().piece(number);
  std::vector<std::byte> block(std::min<std::uint64_t>(kReadBlock, piece.size()));
  std::uint32_t sum = 0;
  for (std::uint64_t at = piece.begin; at < piece.end;) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), piece.end - at));
    if (auto got = read(at, part); !got) return std::unexpected(std::move(got.error()));
    sum = crc32c(part, sum);
    at += part.size();
  }
  if (sum == crc_of(number)) return true;
  if (auto forgotten = records_.forget(number); !forgotten) {
    return std::unexpected(std::move(forgotten.error()));
  }
  return false;
}

Result<void> TaskFiles::write(std::uint64_t offset, std::span<const std::byte> data) {
  auto written = write_whole(data_.get(), offset, data);
  if (!written) return fail_within(data_path(), std::move(written.error()));
  return {};
}

Result<void> TaskFiles::finish_piece(std::uint32_t number, std::uint32_t crc32c) {
  auto done = records_.set_done(number, crc32c);
  if (!done) return fail_within(directory_, std::move(done.error()));
  return {};
}

Result<void> TaskFiles::read(std::uint64_t offset, std::span<std::byte> data) const {
  auto got = read_whole(data_.get(), offset, data);
  if (!got) return fail_within(data_path(), std::move(got.error()));
  return {};
}

}  // namespace perch::peer
