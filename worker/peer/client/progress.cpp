// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>

namespace perch::peer {
namespace {

constexpr std::size_t kBarWidth = 32;
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLine{2};

}  // namespace

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits.at(unit));
}

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1), started_(Clock::now()) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\n");
}

void Progress::show(std::uint64_t received, std::uint64_t length) {
  const auto now = Clock::now();
  if (now < next_ && received < length) return;
  next_ = now + (terminal_ ? std::chrono::nanoseconds(kRedraw) : std::chrono::nanoseconds(kLine));
  const double share =
      length == 0 ? 1.0 : static_cast<double>(received) / static_cast<double>(length);
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(received) / (seconds + 1e-3));
  const std::string line = fmt::format("{:3.0f} %  {} of {}  {}/s", share * 100,
                                       size_text(received), size_text(length), size_text(rate));
  if (!terminal_) return fmt::print(stderr, "{}\n", line);
  const auto filled = static_cast<std::size_t>(share * kBarWidth);
  fmt::print(stderr, "\r\x1b[K[{:=<{}}{: <{}}] {}", "", filled, "", kBarWidth - filled, line);
  drawn_ = true;
}

void Progress::note(const std::string& text) {
  clear();
  fmt::print(stderr, "{}\n", text);
}

void Progress::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace perch::peer
