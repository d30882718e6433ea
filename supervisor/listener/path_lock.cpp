// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/path_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/posix/file.h"
#include "common/value/text.h"

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

Result<bool> is_still_named(const SocketDirectory& directory, const struct stat& opened) {
  const std::string name = directory.lock_name();
  struct stat named{};
  if (::fstatat(directory.fd(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0) {
    return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
  }
  if (errno == ENOENT) return false;
  return fail("look at lock " + directory.path_of(name));
}

constexpr std::string_view kKeeperLine = "\nkept by ";

std::string holder(int lock_file) {
  const std::string text = read_open_file(lock_file).value_or("");
  const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
  std::string holder = "another perch";
  if (!digits.empty()) holder.append(" (pid ").append(digits).append(")");
  const auto keeper = text.find(kKeeperLine);
  if (keeper == std::string::npos) return holder;
  const std::size_t begin = keeper + kKeeperLine.size();
  return holder + ", or by the keeper at " +
         printable(text.substr(begin, text.find('\n', begin) - begin)) + " for it";
}

// Failures are of no account: the lock holds without it.
void note(int lock_file, const std::string& text) {
  if (::ftruncate(lock_file, 0) != 0) return;
  [[maybe_unused]] const auto written = ::pwrite(lock_file, text.data(), text.size(), 0);
}

void note_pid(int lock_file) { note(lock_file, std::to_string(::getpid()) + "\n"); }

}  // namespace

bool PathLock::is_named_in(const SocketDirectory& directory) const {
  struct stat opened{};
  return ::fstat(file_.get(), &opened) == 0 && is_still_named(directory, opened).value_or(false);
}

void PathLock::note_keeper(const std::string& path) const {
  note(file_.get(), std::to_string(::getpid()) + std::string(kKeeperLine) + path + "\n");
}

Attempt<std::optional<PathLock>> PathLock::adopt(UniqueFd file, const SocketDirectory& directory) {
  const std::string path = directory.path_of(directory.lock_name());
  struct stat opened{};
  if (::fstat(file.get(), &opened) != 0) return failed(Error::from_errno(errno, "fstat lock"));
  if (!S_ISREG(opened.st_mode)) return std::unexpected(not_lockable(path));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return owned(holder(file.get()));
    return failed(Error::from_errno(errno, "flock " + path));
  }
  const auto named = is_still_named(directory, opened);
  if (!named) return failed(named.error());
  if (!*named) return std::nullopt;
  note_pid(file.get());
  return PathLock(std::move(file), opened.st_ino);
}

Attempt<PathLock> PathLock::try_lock(const SocketDirectory& directory) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto file = open_lock_file(directory);
    if (!file) return std::unexpected(std::move(file.error()));
    auto locked = adopt(std::move(*file), directory);
    if (!locked) return std::unexpected(std::move(locked.error()));
    if (*locked) return std::move(**locked);
  }
  return owned("somebody who keeps removing " + directory.path_of(directory.lock_name()));
}

}  // namespace perch::listener
