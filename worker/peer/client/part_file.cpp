// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/part_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "common/posix/file.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

constexpr std::uint64_t kBlock = 1U << 20U;

}  // namespace

Result<PartFile> PartFile::create(const std::string& path) {
  const std::string temporary = path + ".part-" + std::to_string(::getpid());
  auto file = open_file(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  if (!file) return std::unexpected(std::move(file.error()));
  return PartFile(path, temporary, std::move(*file));
}

PartFile::PartFile(std::string path, std::string temporary, UniqueFd file)
    : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)) {}

PartFile::PartFile(PartFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      version_(std::move(other.version_)),
      length_(other.length_),
      received_(other.received_),
      pieces_(std::move(other.pieces_)) {}

PartFile::~PartFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> PartFile::expect(std::uint64_t length, const std::string& version) {
  if (length == length_ && version == version_ && !version.empty()) return {};
  length_ = length;
  version_ = version;
  received_ = 0;
  pieces_.clear();
  if (::ftruncate(file_.get(), static_cast<off_t>(length)) != 0)
    return fail("resize " + temporary_);
  return {};
}

Result<void> PartFile::put(std::uint32_t number, std::uint64_t offset, std::string_view content) {
  auto written = write_whole(file_.get(), offset, std::as_bytes(std::span(content)));
  if (!written) return fail_within(temporary_, std::move(written.error()));
  if (pieces_.insert(number).second) received_ += content.size();
  return {};
}

Result<bool> PartFile::matches(const Digest& digest) const {
  Hasher hasher(digest.kind);
  std::vector<std::byte> block(kBlock);
  for (std::uint64_t at = 0; at < length_;) {
    const auto part = std::span(block).first(std::min(kBlock, length_ - at));
    if (auto got = read_whole(file_.get(), at, part); !got) {
      return fail_within(temporary_, std::move(got.error()));
    }
    hasher.add(part);
    at += part.size();
  }
  return hasher.hex() == digest.hex;
}

Result<void> PartFile::commit() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail("rename to " + path_);
  temporary_.clear();
  return {};
}

}  // namespace perch::peer
