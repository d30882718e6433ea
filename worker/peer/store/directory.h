// SPDX-License-Identifier: Apache-2.0
// Directory: an open directory and what is done in it by name. Every name is one component and no
// symbolic link is ever followed, so nobody who can write beside the store leads it elsewhere. A
// file is a regular one or it is refused: a FIFO would block. Errors name the whole path.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::peer {

class Directory {
 public:
  // The path itself is the user's: links in it are followed.
  static Result<Directory> open(const std::string& path);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }

  [[nodiscard]] Result<Directory> child(const std::string& name) const;
  // Mode 0700; one that is there already will do.
  [[nodiscard]] Result<Directory> make_child(const std::string& name) const;
  // Without its "." and "..", in no order.
  [[nodiscard]] Result<std::vector<std::string>> names() const;

  // Of the directory itself; of an entry, of a link itself.
  [[nodiscard]] Result<struct stat> status() const;
  [[nodiscard]] Result<struct stat> status_of(const std::string& name) const;

  // Mode 0600 where `flags` has O_CREAT.
  [[nodiscard]] Result<UniqueFd> file(const std::string& name, int flags) const;
  // Written beside it, synced, renamed, and the directory synced: the old text or the new one.
  [[nodiscard]] Result<void> replace_file(const std::string& name, std::string_view text) const;

  // What is not there is gone.
  [[nodiscard]] Result<void> remove_file(const std::string& name) const;
  // With all that is in it; links are removed, not followed.
  [[nodiscard]] Result<void> remove_child(const std::string& name) const;

 private:
  Directory(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace perch::peer
