// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/output_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cstdio>
#include <vector>

#include "common/posix/file.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

constexpr std::size_t kCopyBlock = 256U << 10U;

std::string temporary_name(const std::string& name) {
  std::uint64_t number = 0;
  PERCH_CHECK(::getrandom(&number, sizeof number, 0) == sizeof number);
  // Cut: a name may have 255 bytes, and so may the temporary one.
  return "." + name.substr(0, 200) + ".perch-" + std::to_string(number);
}

// What the path must be for the file to appear there; better said before the download than after
// it.
Result<void> check_place(int directory, const std::string& name, const std::string& path,
                         Overwrite overwrite) {
  struct stat there{};
  if (name == "." || name == "..") return ::perch::fail(path, EISDIR);
  if (::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (overwrite == Overwrite::No) return ::perch::fail(path + ": overwrite is not set", EEXIST);
  if (S_ISDIR(there.st_mode)) return ::perch::fail(path, EISDIR);
  if (S_ISREG(there.st_mode) || S_ISLNK(there.st_mode)) return {};
  return ::perch::fail(path + ": neither a file nor a link", EEXIST);
}

Result<void> copy_by_hand(int from, ByteRange range, int to, std::uint64_t at) {
  std::vector<std::byte> block(std::min<std::uint64_t>(kCopyBlock, range.size()));
  while (range.size() > 0) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), range.size()));
    auto step = read_whole(from, range.begin, part);
    if (step) step = write_whole(to, at, part);
    if (!step) return step;
    range.begin += part.size();
    at += part.size();
  }
  return {};
}

}  // namespace

OutputFile::OutputFile(Caller caller, UniqueFd directory, std::string name, Overwrite overwrite)
    : caller_(std::move(caller)),
      directory_(std::move(directory)),
      name_(std::move(name)),
      overwrite_(overwrite) {}

// Called as the caller.
Result<OutputFile> OutputFile::prepare(const Caller& caller, const std::string& path,
                                       Overwrite overwrite) {
  const std::size_t slash = path.rfind('/');
  if (!path.starts_with('/') || slash + 1 == path.size()) {
    return ::perch::fail("output_path must be absolute and name a file", EINVAL);
  }
  auto directory = open_file(path.substr(0, slash + 1), O_PATH | O_DIRECTORY);
  if (!directory) return std::unexpected(std::move(directory.error()));
  const std::string name = path.substr(slash + 1);
  if (auto right = check_place(directory->get(), name, path, overwrite); !right) {
    return std::unexpected(std::move(right.error()));
  }
  return OutputFile(caller, std::move(*directory), name, overwrite);
}

Result<OutputFile> OutputFile::create(const Caller& caller, const std::string& path,
                                      Overwrite overwrite) {
  const auto acting = ActingAs::begin(caller);
  if (!acting) return std::unexpected(acting.error());
  auto output = prepare(caller, path, overwrite);
  if (!output) return output;
  const int directory = output->directory_.get();
  output->file_.reset(::openat(directory, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644));
  if (output->file_) return output;
  // Not every file system has files without a name.
  const std::string temporary = temporary_name(output->name_);
  output->file_.reset(::openat(directory, temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!output->file_) return ::perch::fail("write to the directory of " + path);
  output->temporary_ = temporary;
  return output;
}

Result<OutputFile> OutputFile::link(const Caller& caller, const std::string& path,
                                    Overwrite overwrite, const std::string& data_path) {
  const auto acting = ActingAs::begin(caller);
  if (!acting) return std::unexpected(acting.error());
  auto output = prepare(caller, path, overwrite);
  if (!output) return output;
  const std::string temporary = temporary_name(output->name_);
  if (::linkat(AT_FDCWD, data_path.c_str(), output->directory_.get(), temporary.c_str(), 0) != 0) {
    return ::perch::fail("hard link " + path);
  }
  output->temporary_ = temporary;
  return output;
}

OutputFile::~OutputFile() {
  if (temporary_.empty() || !directory_) return;
  const auto acting = ActingAs::begin(caller_);
  if (acting) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

Result<void> OutputFile::copy(int data_fd, ByteRange range, std::uint64_t at) {
  // Quotas and what is reserved for root are looked at when blocks are taken.
  const auto acting = ActingAs::begin(caller_);
  if (!acting) return std::unexpected(acting.error());
  while (range.size() > 0) {
    auto from = static_cast<off64_t>(range.begin);
    auto to = static_cast<off64_t>(at);
    const ssize_t copied = ::copy_file_range(data_fd, &from, file_.get(), &to, range.size(), 0);
    if (copied > 0) {
      range.begin += static_cast<std::uint64_t>(copied);
      at += static_cast<std::uint64_t>(copied);
    } else if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO)) {
      return ::perch::fail("write " + name_);
    } else if (copied == 0 || errno != EINTR) {
      // Not between these two file systems, or not with this kernel.
      auto done = copy_by_hand(data_fd, range, file_.get(), at);
      if (!done) return fail_within(name_, std::move(done.error()));
      return done;
    }
  }
  return {};
}

Result<void> OutputFile::commit() {
  const auto acting = ActingAs::begin(caller_);
  if (!acting) return std::unexpected(acting.error());
  if (temporary_.empty()) {
    if (auto named = give_name(); !named) return named;
  }
  const int directory = directory_.get();
  const char* const from = temporary_.c_str();
  const unsigned flags = overwrite_ == Overwrite::No ? unsigned{RENAME_NOREPLACE} : 0U;
  int renamed = ::renameat2(directory, from, directory, name_.c_str(), flags);
  // Not every file system can rename like that; a link refuses what exists just as well.
  if (renamed != 0 && errno == EINVAL && flags != 0) {
    renamed = ::linkat(directory, from, directory, name_.c_str(), 0);
  }
  if (renamed != 0) return ::perch::fail("rename to " + name_);
  // Still there after a link, and after a rename between two names of one file.
  ::unlinkat(directory, from, 0);
  temporary_.clear();
  return {};
}

// Called as the caller.
Result<void> OutputFile::give_name() {
  const std::string temporary = temporary_name(name_);
  const std::string file = "/proc/self/fd/" + std::to_string(file_.get());
  if (::linkat(AT_FDCWD, file.c_str(), directory_.get(), temporary.c_str(), AT_SYMLINK_FOLLOW) !=
      0) {
    return ::perch::fail("name " + name_);
  }
  temporary_ = temporary;
  return {};
}

}  // namespace perch::peer
