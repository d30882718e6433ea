// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/crc32c.h"

#include <array>
#include <cstring>

namespace perch::peer {
namespace {

// With their bits mirrored.
constexpr std::uint32_t kCastagnoli = 0x82F63B78;
constexpr std::uint32_t kIeee = 0xEDB88320;

using Table = std::array<std::uint32_t, 256>;

consteval Table table_of(std::uint32_t polynomial) {
  Table table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) * polynomial);
    table[byte] = value;  // NOLINT(cppcoreguidelines-pro-bounds-constant-array-index)
  }
  return table;
}

constexpr Table kCastagnoliTable = table_of(kCastagnoli);
constexpr Table kIeeeTable = table_of(kIeee);

std::uint32_t by_table(const Table& table, std::span<const std::byte> data, std::uint32_t sum) {
  std::uint32_t value = ~sum;
  for (const std::byte byte : data) {
    value = (value >> 8U) ^ table.at((value ^ std::to_integer<std::uint32_t>(byte)) & 0xFFU);
  }
  return ~value;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::span<const std::byte> data,
                                                               std::uint32_t sum) {
  std::uint64_t value = ~sum;
  while (data.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof word);
    value = __builtin_ia32_crc32di(value, word);
    data = data.subspan(sizeof word);
  }
  auto last = static_cast<std::uint32_t>(value);
  for (const std::byte byte : data) {
    last = __builtin_ia32_crc32qi(last, std::to_integer<unsigned char>(byte));
  }
  return ~last;
}
#endif

}  // namespace

std::uint32_t crc32(std::span<const std::byte> data, std::uint32_t sum) {
  return by_table(kIeeeTable, data, sum);
}

std::uint32_t crc32c_by_table(std::span<const std::byte> data, std::uint32_t sum) {
  return by_table(kCastagnoliTable, data, sum);
}

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t sum) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("sse4.2") != 0) return by_instruction(data, sum);
#endif
  return crc32c_by_table(data, sum);
}

}  // namespace perch::peer
