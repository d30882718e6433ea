// SPDX-License-Identifier: Apache-2.0
// PathLock: `.<name>.lock` beside a claimed path, held by flock(2) for as long as this object lives.
// It says that a perch owns the path even while nothing listens on it. The file is never unlinked:
// an unlinked lock file could be locked by two. The pid in it is information only.
#pragma once

#include <expected>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::listener {

class PathLock {
 public:
  struct HeldBy {
    std::string who;  // "pid 123 (perch)" as far as known
  };
  using Outcome = std::expected<PathLock, HeldBy>;

  // One attempt, never waiting. `directory` is an O_PATH descriptor of the path's directory, `path`
  // is for messages.
  static Result<Outcome> try_lock(int directory, const std::string& basename,
                                  const std::string& path);

 private:
  explicit PathLock(UniqueFd file) noexcept : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace perch::listener
