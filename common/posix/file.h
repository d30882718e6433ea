// SPDX-License-Identifier: Apache-2.0
// Small files, mostly of /proc and /sys: read whole or written in one call. Bounded, because a path
// may come from a user; nothing here follows up on partial writes, which such files do not have.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch {

inline constexpr std::size_t kSmallFileLimit = 1U << 20U;

// EFBIG above `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit = kSmallFileLimit);
// The same from an open descriptor, from its beginning (pread); the offset does not move.
Result<std::string> read_open_file(int fd, std::size_t limit = kSmallFileLimit);
// One write() of the whole text to an existing file.
Result<void> write_file(const std::string& path, std::string_view text);

// open(2) with O_CLOEXEC added, EINTR retried.
Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0);

}  // namespace perch
