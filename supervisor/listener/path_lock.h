// SPDX-License-Identifier: Apache-2.0
// PathLock: `.<name>.lock` beside a claimed path, held by flock(2) for as long as this object
// lives. It says that a perch owns the path even while nothing listens on it. The file is never
// unlinked: an unlinked lock file could be locked by two. The pid in it is information only, since
// its reader may live in another pid namespace.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/value/unique_fd.h"
#include "supervisor/listener/obstacle.h"
#include "supervisor/listener/socket_directory.h"

namespace perch::listener {

class PathLock {
 public:
  // One attempt, never waiting. Owned: another perch holds it. Refused: the file is another user's,
  // or not a file that can be locked.
  static Attempt<PathLock> try_lock(const SocketDirectory& directory);

  // A lock that an earlier perch took, by its very file: it may be held already, by us as by who
  // keeps a copy of the descriptor. Nothing: the file has no name there (any more), and a lock on
  // it excludes nobody. Obstacles as above.
  static Attempt<std::optional<PathLock>> adopt(UniqueFd file, const SocketDirectory& directory);

  // False once the file has lost its name there: then it excludes nobody any more.
  [[nodiscard]] bool is_named_in(const SocketDirectory& directory) const;
  // Of the lock file: tells the temporary names of this lock's holders from those of others.
  [[nodiscard]] ino_t inode() const noexcept { return inode_; }
  [[nodiscard]] int fd() const noexcept { return file_.get(); }
  // Writes beside our pid who keeps a copy of it, for those who find the path locked.
  void note_keeper(const std::string& path) const;

 private:
  PathLock(UniqueFd file, ino_t inode) noexcept : file_(std::move(file)), inode_(inode) {}
  UniqueFd file_;
  ino_t inode_;
};

}  // namespace perch::listener
