// SPDX-License-Identifier: Apache-2.0
// PinnedFile: one file held by an O_PATH descriptor, whatever its names do meanwhile. What is
// checked, probed, linked or chmod'ed through it is this very inode, and as long as it lives the
// inode's number cannot be given to another file, so comparing a FileId proves something.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::listener {

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

// Of an open file; nothing where the descriptor is none.
std::optional<FileId> file_id(int fd);

struct PinnedFile {
  UniqueFd fd;
  FileId id;
  mode_t mode = 0;  // with the type
  uid_t owner = 0;

  static Result<PinnedFile> of(UniqueFd fd);

  [[nodiscard]] bool is_socket() const noexcept;
  // For people: "a regular file".
  [[nodiscard]] const char* type_name() const noexcept;
  // A path that leads to this inode, for calls that take no descriptor.
  [[nodiscard]] std::string proc_path() const;
};

}  // namespace perch::listener
