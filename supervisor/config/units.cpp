// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

#include "common/value/text.h"

namespace perch::config {
namespace {

using std::chrono::milliseconds;

struct Scale {
  std::string_view suffix;
  std::uint64_t factor;
};

constexpr std::array<Scale, 4> kTimes{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<Scale, 5> kSizes{{{"B", 1},
                                       {"KiB", 1ULL << 10U},
                                       {"MiB", 1ULL << 20U},
                                       {"GiB", 1ULL << 30U},
                                       {"TiB", 1ULL << 40U}}};
constexpr std::uint64_t kYear = 365ULL * 24 * 60 * 60 * 1000;
constexpr std::size_t kLongestQuote = 80;

enum class Failure { NotWritten, TooLarge };

std::expected<std::uint64_t, Failure> number_of(std::string_view digits, int base = 10) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error == std::errc::result_out_of_range) return std::unexpected(Failure::TooLarge);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::unexpected(Failure::NotWritten);
  }
  return number;
}

std::expected<std::uint64_t, Failure> scaled(std::string_view text, std::span<const Scale> scales) {
  const auto split = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = number_of(text.substr(0, split));
  if (!number) return number;
  const auto* const scale = std::ranges::find(scales, text.substr(split), &Scale::suffix).base();
  if (scale == scales.data() + scales.size()) return std::unexpected(Failure::NotWritten);
  if (*number > std::numeric_limits<std::uint64_t>::max() / scale->factor) {
    return std::unexpected(Failure::TooLarge);
  }
  return *number * scale->factor;
}

// In the largest unit that it is a whole number of.
std::string shortest(std::uint64_t count, std::span<const Scale> scales) {
  Scale best = scales.front();
  for (const Scale& scale : scales) {
    if (count != 0 && count % scale.factor == 0) best = scale;
  }
  return fmt::format("{}{}", count / best.factor, best.suffix);
}

template <class... Args>
std::unexpected<std::string> reject(fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace

Parsed<milliseconds> parse_duration(std::string_view text) {
  const auto count = scaled(text, kTimes);
  if (!count && count.error() == Failure::NotWritten) {
    return reject("{} is not a duration; write a whole number and ms, s, m or h, such as \"250ms\"",
                  in_quotes(text));
  }
  if (!count || *count > kYear) return reject("{} is longer than a year (8760h)", in_quotes(text));
  return milliseconds(*count);
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  const auto bytes = scaled(text, kSizes);
  if (bytes) return *bytes;
  if (bytes.error() == Failure::TooLarge) return reject("{} is too large", in_quotes(text));
  return reject(
      "{} is not a size; write a whole number and B, KiB, MiB, GiB or TiB, such as \"512MiB\"",
      in_quotes(text));
}

Parsed<mode_t> parse_mode(std::string_view text) {
  const auto mode = number_of(text, 8);
  if (!mode || text.size() < 3 || *mode > 0777) {
    return reject("{} is not a mode; write it in octal, from \"0000\" to \"0777\"",
                  in_quotes(text));
  }
  return static_cast<mode_t>(*mode);
}

Parsed<int> parse_signal(std::string_view text) {
  const std::string_view name = text.starts_with("SIG") ? text.substr(3) : text;
  if (name.starts_with("RT")) {
    return reject("{}: real-time signals are not supported; use SIGUSR1 or SIGUSR2",
                  in_quotes(text));
  }
  const auto number = number_of(text);
  for (int signal = 1; signal < __SIGRTMIN; ++signal) {
    const char* const known = sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
    if (known != nullptr && number == static_cast<std::uint64_t>(signal)) return signal;
  }
  return reject("{} is not a signal; write its name, such as \"SIGTERM\"", in_quotes(text));
}

Parsed<std::optional<int>> parse_signal_or_none(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return parse_signal(text);
}

Parsed<std::uint64_t> parse_count(std::string_view text) {
  const auto number = number_of(text);
  if (!number) return reject("{} is not a whole number", in_quotes(text));
  return *number;
}

std::string duration_text(milliseconds duration) {
  const auto count = static_cast<std::uint64_t>(duration.count());
  return count == 0 ? "0s" : shortest(count, kTimes);
}

std::string size_text(std::uint64_t bytes) { return shortest(bytes, kSizes); }

std::string mode_text(mode_t mode) { return fmt::format("{:04o}", mode); }

std::string signal_text(int number) {
  const char* const name = sigabbrev_np(number);
  return name == nullptr ? std::to_string(number) : std::string("SIG") + name;
}

std::string in_quotes(std::string_view text) {
  if (text.size() <= kLongestQuote) return '"' + printable(text) + '"';
  return '"' + printable(text.substr(0, kLongestQuote)) + "...\"";
}

}  // namespace perch::config
