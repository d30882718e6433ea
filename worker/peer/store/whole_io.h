// SPDX-License-Identifier: Apache-2.0
// pread and pwrite of all of a span: partial transfers are continued, EINTR is retried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/value/error.h"

namespace perch::peer {

// EIO when the file ends before `data` is full.
Result<void> read_whole(int fd, std::uint64_t offset, std::span<std::byte> data);
Result<void> write_whole(int fd, std::uint64_t offset, std::span<const std::byte> data);

}  // namespace perch::peer
