// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "common/posix/file.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

constexpr std::uint64_t kBlock = 1U << 20U;
constexpr int kPoll = 50;  // milliseconds

std::string temporary_name(const std::string& name) {
  std::uint64_t number = 0;
  PERCH_CHECK(::getrandom(&number, sizeof number, 0) == sizeof number);
  // Cut: a name may have 255 bytes, and so may the temporary one.
  return fmt::format(".{}.part-{:016x}", name.substr(0, 200), number);
}

std::string proc_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// Why what is at the path stands in the way; success where nothing does.
Result<void> check_place(int directory, const std::string& name, const std::string& path,
                         Existing existing) {
  struct stat there{};
  if (::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Result<void>() : fail(path);
  }
  if (S_ISDIR(there.st_mode)) return fail(path, EISDIR);
  if (!S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
    return refuse(path + ": not a regular file: -O - writes to stdout");
  }
  if (existing == Existing::Keep) return refuse(path + ": exists: --force replaces it");
  return {};
}

// To a reader that may stall: write(2) is called only where there is room, and with no more than
// there is room for then (pipe(7)), so that it does not sleep where no signal is heard. Whoever
// started us may have made the descriptor non-blocking.
Result<void> write_all(int fd, std::span<const std::byte> data, const MayGoOn& may_go_on) {
  while (!data.empty()) {
    if (!may_go_on()) return fail("write", ECANCELED);
    pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&waiting, 1, kPoll) <= 0) continue;
    const ssize_t wrote = ::write(fd, data.data(), std::min<std::size_t>(data.size(), PIPE_BUF));
    if (wrote < 0 && errno != EINTR && errno != EAGAIN) return fail("write");
    data = data.subspan(static_cast<std::size_t>(std::max<ssize_t>(wrote, 0)));
  }
  return {};
}

using Take = std::function<Result<void>(std::span<const std::byte>)>;
Result<void> for_each_block(int fd, std::uint64_t length, const MayGoOn& may_go_on,
                            const Take& take) {
  std::vector<std::byte> block(std::min(kBlock, length));
  for (std::uint64_t at = 0; at < length;) {
    if (!may_go_on()) return fail("stopped", ECANCELED);
    const auto part = std::span(block).first(std::min(kBlock, length - at));
    auto step = read_whole(fd, at, part);
    if (step) step = take(part);
    if (!step) return step;
    at += part.size();
  }
  return {};
}

}  // namespace

Result<PartFile> PartFile::at(const std::string& path, Existing existing) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  auto opened = open_file(directory, O_PATH | O_DIRECTORY);
  if (!opened) return std::unexpected(std::move(opened.error()));
  PartFile file(path, existing, std::move(*opened));
  if (file.name().empty()) return fail(path, EISDIR);
  auto step = check_place(file.directory_.get(), file.name(), path, existing);
  if (step) step = file.create();
  if (!step) return std::unexpected(std::move(step.error()));
  return file;
}

Result<PartFile> PartFile::for_stdout() {
  const char* const named = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe)
  const std::string directory = named != nullptr && *named != '\0' ? named : "/tmp";
  PartFile file("stdout", Existing::Keep, UniqueFd());
  auto opened = open_file(directory, O_RDWR | O_TMPFILE, 0600);
  if (!opened) return std::unexpected(std::move(opened.error()));
  file.file_ = std::move(*opened);
  return file;
}

PartFile::PartFile(PartFile&& other) noexcept
    : path_(std::move(other.path_)),
      existing_(other.existing_),
      directory_(std::move(other.directory_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      length_(other.length_) {}

PartFile::~PartFile() {
  if (!temporary_.empty()) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

std::string PartFile::name() const { return path_.substr(path_.rfind('/') + 1); }

Result<void> PartFile::create() {
  file_.reset(::openat(directory_.get(), ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0666));
  // Without /proc it would never get a name.
  if (file_ && ::access(proc_path(file_.get()).c_str(), F_OK) == 0) return {};
  const std::string temporary = temporary_name(name());
  file_.reset(::openat(directory_.get(), temporary.c_str(),
                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file_) return fail("write beside " + path_);
  temporary_ = temporary;
  return {};
}

Result<void> PartFile::resize(std::uint64_t length) {
  const auto size = static_cast<off_t>(length);
  if (::ftruncate(file_.get(), size) != 0) return fail("write " + path_);
  // Where the file system cannot, a write tells later.
  if (length > 0 && ::fallocate(file_.get(), 0, 0, size) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS) {
    return fail("write " + path_);
  }
  length_ = length;
  return {};
}

Result<void> PartFile::write(std::uint64_t offset, std::span<const std::byte> data) {
  auto written = write_whole(file_.get(), offset, data);
  if (!written) return fail_within("write " + path_, std::move(written.error()));
  return {};
}

Result<bool> PartFile::matches(const Digest& digest, const MayGoOn& may_go_on) const {
  Hasher hasher(digest.kind);
  auto read =
      for_each_block(file_.get(), length_, may_go_on, [&](std::span<const std::byte> block) {
        hasher.add(block);
        return Result<void>();
      });
  if (!read) return fail_within("read " + path_, std::move(read.error()));
  return hasher.hex() == digest.hex;
}

Result<void> PartFile::commit(const MayGoOn& may_go_on) {
  return directory_ ? put_at_path() : copy_to_stdout(may_go_on);
}

Result<void> PartFile::link_as(const std::string& name) {
  const std::string from = proc_path(file_.get());
  if (::linkat(AT_FDCWD, from.c_str(), directory_.get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return fail("write " + path_);
  }
  return {};
}

Result<void> PartFile::put_at_path() {
  if (!temporary_.empty()) return rename_to_path();
  if (existing_ == Existing::Keep) return link_as(name());
  std::string temporary = temporary_name(name());
  if (auto linked = link_as(temporary); !linked) return linked;
  temporary_ = std::move(temporary);
  return rename_to_path();
}

Result<void> PartFile::rename_to_path() {
  const int directory = directory_.get();
  const std::string name = this->name();
  const char* const from = temporary_.c_str();
  const unsigned flags = existing_ == Existing::Keep ? unsigned{RENAME_NOREPLACE} : 0U;
  int renamed = ::renameat2(directory, from, directory, name.c_str(), flags);
  // Not every file system can rename like that; a link refuses what exists just as well.
  const bool by_link = renamed != 0 && errno == EINVAL && flags != 0;
  if (by_link) renamed = ::linkat(directory, from, directory, name.c_str(), 0);
  if (renamed != 0) return fail("write " + path_);
  if (!by_link) temporary_.clear();
  return {};
}

Result<void> PartFile::copy_to_stdout(const MayGoOn& may_go_on) const {
  auto copied = for_each_block(
      file_.get(), length_, may_go_on,
      [&](std::span<const std::byte> block) { return write_all(STDOUT_FILENO, block, may_go_on); });
  if (!copied) return fail_within("stdout", std::move(copied.error()));
  return {};
}

}  // namespace perch::peer
