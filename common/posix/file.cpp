// SPDX-License-Identifier: Apache-2.0
#include "common/posix/file.h"

#include <fcntl.h>
#include <sys/types.h>

#include <array>

namespace perch {

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
  for (;;) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (fd) return fd;
    if (errno != EINTR) return fail("open " + path);
  }
}

Result<std::string> read_open_file(int fd, std::size_t limit) {
  std::string text;
  std::array<char, 8192> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by pread
  for (;;) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("read");
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) return fail("read", EFBIG);
  }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return std::unexpected(std::move(fd.error()));
  auto text = read_open_file(fd->get(), limit);
  if (!text) return fail_within(path, std::move(text.error()));
  return text;
}

Result<void> write_file(const std::string& path, std::string_view text) {
  auto fd = open_file(path, O_WRONLY);
  if (!fd) return std::unexpected(std::move(fd.error()));
  ssize_t wrote = -1;
  do {
    wrote = ::write(fd->get(), text.data(), text.size());
  } while (wrote < 0 && errno == EINTR);
  if (wrote < 0) return fail("write " + path);
  if (static_cast<std::size_t>(wrote) != text.size()) return fail("write " + path, EIO);
  return {};
}

}  // namespace perch
