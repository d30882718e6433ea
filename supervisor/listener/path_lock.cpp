// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/path_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/posix/file.h"

namespace perch::listener {
namespace {

// Somebody may remove or make the file between two of our calls, but not for ever.
constexpr int kAttempts = 10;

Obstacle not_lockable(const std::string& path) {
  return Refused{"lock " + path + " is not a regular file: remove it"};
}

Obstacle not_permitted(const SocketDirectory& directory, const std::string& path, int number) {
  struct stat found{};
  if (::fstatat(directory.fd(), directory.lock_name().c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return Error::from_errno(number, "create " + path + " as uid " + std::to_string(::geteuid()));
  }
  return Refused{"lock " + path + " belongs to uid " + std::to_string(found.st_uid) +
                 " and perch runs as uid " + std::to_string(::geteuid()) +
                 ": run perch as that user, or remove the lock while no perch uses the path"};
}

Obstacle cannot_open(const SocketDirectory& directory, int number) {
  const std::string path = directory.path_of(directory.lock_name());
  switch (number) {
    case ELOOP:
    case EISDIR:
    case ENXIO:
      return not_lockable(path);
    case EACCES:
    case EPERM:
      return not_permitted(directory, path, number);
    default:
      return Error::from_errno(number, "create " + path);
  }
}

// Without O_CREAT first: fs.protected_regular answers O_CREAT on somebody else's file in a sticky
// directory with EACCES, even where the file is open to us. O_NONBLOCK: it may be a FIFO.
Attempt<UniqueFd> open_lock_file(const SocketDirectory& directory) {
  const std::string name = directory.lock_name();
  constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int number = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    UniqueFd fd(::openat(directory.fd(), name.c_str(), kFlags));
    if (!fd && errno == ENOENT) {
      fd.reset(::openat(directory.fd(), name.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
    }
    if (fd) return fd;
    number = errno;
    if (number != EEXIST && number != ENOENT) break;
  }
  return std::unexpected(cannot_open(directory, number));
}

bool is_still_named(const SocketDirectory& directory, const struct stat& opened) {
  struct stat named{};
  return ::fstatat(directory.fd(), directory.lock_name().c_str(), &named, AT_SYMLINK_NOFOLLOW) ==
             0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

std::string holder(int lock_file) {
  const auto text = read_open_file(lock_file);
  const auto digits = text ? text->substr(0, text->find_first_not_of("0123456789")) : "";
  return digits.empty() ? "another perch" : "another perch (pid " + digits + ")";
}

// Failures are of no account: the lock holds without it.
void note_pid(int lock_file) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_file, 0) != 0) return;
  [[maybe_unused]] const auto written = ::pwrite(lock_file, text.data(), text.size(), 0);
}

}  // namespace

bool PathLock::is_named_in(const SocketDirectory& directory) const {
  struct stat opened{};
  return ::fstat(file_.get(), &opened) == 0 && is_still_named(directory, opened);
}

Attempt<PathLock> PathLock::try_lock(const SocketDirectory& directory) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto file = open_lock_file(directory);
    if (!file) return std::unexpected(std::move(file.error()));
    struct stat opened{};
    if (::fstat(file->get(), &opened) != 0) return failed(Error::from_errno(errno, "fstat lock"));
    if (!S_ISREG(opened.st_mode)) {
      return std::unexpected(not_lockable(directory.path_of(directory.lock_name())));
    }
    if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return owned(holder(file->get()));
      return failed(Error::from_errno(errno, "flock " + directory.path_of(directory.lock_name())));
    }
    // A lock on a file that has lost its name excludes nobody.
    if (!is_still_named(directory, opened)) continue;
    note_pid(file->get());
    return PathLock(std::move(*file), opened.st_ino);
  }
  return owned("somebody who keeps removing " + directory.path_of(directory.lock_name()));
}

}  // namespace perch::listener
