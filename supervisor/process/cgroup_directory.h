// SPDX-License-Identifier: Apache-2.0
// CgroupDirectory: one cgroup that perch made, of either version, held by a lock on its directory:
// the lock says that its owner lives, also where several containers with the same pids share one
// hierarchy. What dead perches left behind is known by its name and by a lock that is free.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::process {

class CgroupDirectory {
 public:
  // `perch-PID-WORKER` below `parent`, new. EEXIST: the name is in use.
  static Result<CgroupDirectory> make_for(const std::string& parent, std::string_view worker);
  // The directory, made unless it is there already. EWOULDBLOCK: a living owner has it.
  static Result<CgroupDirectory> make_or_adopt(const std::string& path);
  // Removes it, and what its members made below it; while there are members it stays, a left-over.
  ~CgroupDirectory();
  CgroupDirectory(CgroupDirectory&&) noexcept = default;
  CgroupDirectory& operator=(CgroupDirectory&&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] int fd() const noexcept { return lock_.get(); }

 private:
  CgroupDirectory(std::string path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;  // empty: moved from
};

// Dead perches' cgroups below `parent`: those that have no members are removed; Kill ends members
// first and waits a moment for their end, which takes a version 2 hierarchy.
enum class LeftOvers { Keep, Kill };
void remove_left_overs(const std::string& parent, LeftOvers populated);

}  // namespace perch::process
