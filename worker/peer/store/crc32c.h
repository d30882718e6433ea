// SPDX-License-Identifier: Apache-2.0
// Checksums of 32 bits. CRC-32C (Castagnoli) is that of pieces: by the processor's own instruction
// where it has one (some 10 GB/s), else by a table. Continue a sum by passing it in again:
// crc32c(b, crc32c(a)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace perch::peer {

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t sum = 0);

// CRC-32 as zlib, gzip and Ethernet have it, for whole files; by a table.
std::uint32_t crc32(std::span<const std::byte> data, std::uint32_t sum = 0);

// CRC-32C the way without the instruction; public so that tests hold the two against each other.
std::uint32_t crc32c_by_table(std::span<const std::byte> data, std::uint32_t sum = 0);

}  // namespace perch::peer
