// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/memory_mark.h"

#include <fmt/format.h>

namespace perch::config {

Parsed<MemoryMark> parse_memory_mark(std::string_view text) {
  if (!text.ends_with('%')) {
    const auto bytes = parse_size(text);
    if (bytes) return *bytes;
    return std::unexpected(bytes.error() + ", or a share of the limit, such as \"90%\"");
  }
  const auto percent = parse_count(text.substr(0, text.size() - 1));
  if (percent && *percent >= 1 && *percent <= 100) return Percent{static_cast<unsigned>(*percent)};
  return std::unexpected(
      fmt::format("{} is no share; write a whole number from \"1%\" to \"100%\"", in_quotes(text)));
}

std::string memory_mark_text(const MemoryMark& mark) {
  if (const auto* const percent = std::get_if<Percent>(&mark)) {
    return fmt::format("{}%", percent->value);
  }
  return size_text(std::get<std::uint64_t>(mark));
}

std::optional<std::uint64_t> bytes_of(const MemoryMark& mark, std::optional<std::uint64_t> limit) {
  if (const auto* const bytes = std::get_if<std::uint64_t>(&mark)) return *bytes;
  if (!limit) return std::nullopt;
  // Divided first: a limit may be as large as the type.
  const std::uint64_t percent = std::get<Percent>(mark).value;
  return *limit / 100 * percent + *limit % 100 * percent / 100;
}

}  // namespace perch::config
