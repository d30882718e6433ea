// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/pinned_file.h"

#include <sys/stat.h>

namespace perch::listener {

std::optional<FileId> file_id(int fd) {
  struct stat found{};
  if (::fstat(fd, &found) != 0) return std::nullopt;
  return FileId{.device = found.st_dev, .inode = found.st_ino};
}

Result<PinnedFile> PinnedFile::of(UniqueFd fd) {
  struct stat found{};
  if (::fstat(fd.get(), &found) != 0) return fail("fstat");
  return PinnedFile{.fd = std::move(fd),
                    .id = {.device = found.st_dev, .inode = found.st_ino},
                    .mode = found.st_mode,
                    .owner = found.st_uid};
}

bool PinnedFile::is_socket() const noexcept { return S_ISSOCK(mode); }

const char* PinnedFile::type_name() const noexcept {
  switch (mode & S_IFMT) {
    case S_IFSOCK:
      return "a socket";
    case S_IFREG:
      return "a regular file";
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a FIFO";
    case S_IFLNK:
      return "a symbolic link";
    default:
      return "a device";
  }
}

std::string PinnedFile::proc_path() const { return "/proc/self/fd/" + std::to_string(fd.get()); }

}  // namespace perch::listener
