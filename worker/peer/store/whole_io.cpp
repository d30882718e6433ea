// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/whole_io.h"

#include <unistd.h>

namespace perch::peer {

Result<void> read_whole(int fd, std::uint64_t offset, std::span<std::byte> data) {
  while (!data.empty()) {
    const ssize_t got = ::pread(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("read");
    if (got == 0) return fail("read: unexpected end", EIO);
    data = data.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<void> write_whole(int fd, std::uint64_t offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t wrote = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail("write");
    data = data.subspan(static_cast<std::size_t>(wrote));
    offset += static_cast<std::uint64_t>(wrote);
  }
  return {};
}

}  // namespace perch::peer
