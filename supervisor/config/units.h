// SPDX-License-Identifier: Apache-2.0
// Units: the written forms of single values, as the configuration and the command line have them,
// and back. Pure. What cannot be read is answered with the reason and the remedy, for people;
// the text itself is quoted in it, safe to show.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace perch::config {

template <class T>
using Parsed = std::expected<T, std::string>;

// A kind of value that is written as a string: what it is called, and how it is read.
template <class T>
struct Unit {
  std::string_view expected;  // "a duration such as \"250ms\""
  Parsed<T> (*parse)(std::string_view text);
};

// "250ms", "10s", "5m", "2h": a whole number and its unit, up to a year.
Parsed<std::chrono::milliseconds> parse_duration(std::string_view text);
// "512MiB": a whole number and B, KiB, MiB, GiB or TiB.
Parsed<std::uint64_t> parse_size(std::string_view text);
// "0660": octal, permission bits only.
Parsed<mode_t> parse_mode(std::string_view text);
// "SIGTERM", "TERM" or "15"; no real-time signals.
Parsed<int> parse_signal(std::string_view text);
// The same, or "" for none.
Parsed<std::optional<int>> parse_signal_or_none(std::string_view text);
// The number that the whole of `text` is, in decimal digits.
Parsed<std::uint64_t> parse_count(std::string_view text);

inline constexpr Unit<std::chrono::milliseconds> kDuration{"a duration such as \"250ms\"",
                                                           parse_duration};
inline constexpr Unit<std::uint64_t> kSize{"a size such as \"512MiB\"", parse_size};
inline constexpr Unit<mode_t> kMode{"a mode such as \"0660\"", parse_mode};
inline constexpr Unit<int> kSignal{"a signal such as \"SIGTERM\"", parse_signal};
inline constexpr Unit<std::optional<int>> kSignalOrNone{"a signal such as \"SIGHUP\", or \"\"",
                                                        parse_signal_or_none};

// The shortest form that reads back as the same value: 90'000 ms is "90s".
std::string duration_text(std::chrono::milliseconds duration);
std::string size_text(std::uint64_t bytes);  // the same: "512MiB"
std::string mode_text(mode_t mode);          // "0660"
std::string signal_text(int number);         // "SIGTERM"

// `text` in double quotes, on one line, cut where it is long.
std::string in_quotes(std::string_view text);

}  // namespace perch::config
