// SPDX-License-Identifier: Apache-2.0
// TemporaryDirectory: a fresh directory with a name short enough for socket paths (sun_path holds
// 108 bytes); it goes with all that is in it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace perch::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory();  // throws std::system_error
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string path(std::string_view name) const;

 private:
  std::string path_;
};

// Of the file itself, not of what a link leads to; 0: nothing there.
ino_t inode_of(const std::string& path);
// Replaces the file's content; throws std::system_error.
void write_text(const std::string& path, std::string_view text);

}  // namespace perch::test
