// SPDX-License-Identifier: Apache-2.0
#include "common/value/text.h"

#include <array>
#include <cstdio>

namespace perch {
namespace {

using Byte = unsigned char;

constexpr bool is_control(Byte byte) { return byte < 0x20 || byte == 0x7f; }

// U+0080 to U+009F: terminals take U+009B for ESC [.
bool is_c1(std::string_view text) {
  return text.size() >= 2 && Byte(text[0]) == 0xc2 && Byte(text[1]) >= 0x80 &&
         Byte(text[1]) <= 0x9f;
}

void append_escaped(std::string& out, Byte byte) {
  if (byte == '\n') {
    out += "\\n";
  } else if (byte == '\t') {
    out += "\\t";
  } else {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out.append("\\x").append(1, kDigits[byte >> 4U]).append(1, kDigits[byte & 0xfU]);
  }
}

}  // namespace

std::string rfc3339(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<milliseconds>(time - day));
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                                 int(date.year()), unsigned(date.month()), unsigned(date.day()),
                                 int(clock.hours().count()), int(clock.minutes().count()),
                                 int(clock.seconds().count()), int(clock.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t taken = 1;
    if (is_c1(text)) {
      append_escaped(out, Byte(text[1]));
      taken = 2;
    } else if (is_control(Byte(text[0]))) {
      append_escaped(out, Byte(text[0]));
    } else {
      out.push_back(text[0]);
    }
    text.remove_prefix(taken);
  }
  return out;
}

}  // namespace perch
