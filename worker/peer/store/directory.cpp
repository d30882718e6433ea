// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/directory.h"

#include <dirent.h>
#include <fcntl.h>

#include <cstdio>
#include <memory>
#include <string_view>

#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

struct CloseDirectory {
  void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};

Result<UniqueFd> open_at(int directory, const char* name, int flags, const std::string& path) {
  for (;;) {
    UniqueFd fd(::openat(directory, name, flags | O_CLOEXEC, 0600));
    if (fd) return fd;
    if (errno != EINTR) return fail("open " + path);
  }
}

}  // namespace

Result<Directory> Directory::open(const std::string& path) {
  auto fd = open_at(AT_FDCWD, path.c_str(), kDirectoryFlags, path);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return Directory(path, std::move(*fd));
}

Result<Directory> Directory::child(const std::string& name) const {
  auto fd = open_at(fd_.get(), name.c_str(), kDirectoryFlags | O_NOFOLLOW, path_of(name));
  if (!fd) return std::unexpected(std::move(fd.error()));
  return Directory(path_of(name), std::move(*fd));
}

Result<Directory> Directory::make_child(const std::string& name) const {
  if (::mkdirat(fd_.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail("mkdir " + path_of(name));
  }
  return child(name);
}

Result<std::vector<std::string>> Directory::names() const {
  // A descriptor of its own: the stream moves the offset and closes what it is given.
  auto fd = open_at(fd_.get(), ".", kDirectoryFlags, path_);
  if (!fd) return std::unexpected(std::move(fd.error()));
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(fd->get()));
  if (!stream) return fail("read " + path_);
  (void)fd->release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) return fail("read " + path_);
    if (entry == nullptr) return names;
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

Result<struct stat> Directory::status() const {
  struct stat status{};
  if (::fstat(fd_.get(), &status) != 0) return fail("stat " + path_);
  return status;
}

Result<struct stat> Directory::status_of(const std::string& name) const {
  struct stat status{};
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail("stat " + path_of(name));
  }
  return status;
}

Result<UniqueFd> Directory::file(const std::string& name, int flags) const {
  // O_NONBLOCK for the opening alone; it means nothing to a regular file.
  auto fd = open_at(fd_.get(), name.c_str(), flags | O_NOFOLLOW | O_NONBLOCK, path_of(name));
  if (!fd) return fd;
  struct stat status{};
  if (::fstat(fd->get(), &status) != 0) return fail("stat " + path_of(name));
  if (!S_ISREG(status.st_mode)) return refuse(path_of(name) + ": not a regular file");
  return fd;
}

Result<void> Directory::replace_file(const std::string& name, std::string_view text) const {
  const std::string temporary = name + ".new";
  // What is there may have another name, in which nobody expects this text.
  if (auto gone = remove_file(temporary); !gone) return gone;
  const auto fd = file(temporary, O_WRONLY | O_CREAT | O_EXCL);
  if (!fd) return std::unexpected(fd.error());
  if (auto wrote = write_whole(fd->get(), 0, std::as_bytes(std::span(text))); !wrote) {
    return fail_within(path_of(temporary), std::move(wrote.error()));
  }
  if (::fsync(fd->get()) != 0) return fail("fsync " + path_of(temporary));
  if (::renameat(fd_.get(), temporary.c_str(), fd_.get(), name.c_str()) != 0) {
    return fail("rename " + path_of(temporary));
  }
  if (::fsync(fd_.get()) != 0) return fail("fsync " + path_);
  return {};
}

Result<void> Directory::remove_file(const std::string& name) const {
  if (::unlinkat(fd_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    return fail("remove " + path_of(name));
  }
  return {};
}

Result<void> Directory::remove_child(const std::string& name) const {
  const auto directory = child(name);
  if (!directory && directory.error().is(ENOENT)) return {};
  if (!directory) return std::unexpected(directory.error());
  const auto entries = directory->names();
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& entry : *entries) {
    const auto status = directory->status_of(entry);
    if (!status) return std::unexpected(status.error());
    auto removed =
        S_ISDIR(status->st_mode) ? directory->remove_child(entry) : directory->remove_file(entry);
    if (!removed) return removed;
  }
  if (::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return fail("remove " + path_of(name));
  }
  return {};
}

}  // namespace perch::peer
