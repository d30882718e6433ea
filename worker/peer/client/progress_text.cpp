// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/progress_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/value/human.h"

namespace perch::peer {
namespace {

constexpr std::size_t kLeastBar = 10;
constexpr std::size_t kMostBar = 40;

double share_of(const ProgressView& view) {
  if (view.length == 0) return 1;
  return static_cast<double>(view.received) / static_cast<double>(view.length);
}

// Rounded down: 100 % is when it is whole.
int percent_of(const ProgressView& view) { return static_cast<int>(share_of(view) * 100); }

}  // namespace

std::string time_left(const ProgressView& view) {
  constexpr double kMinute = 60;
  if (view.received >= view.length) return "0s";
  if (view.speed < 1) return "?";
  const double seconds = std::ceil(static_cast<double>(view.length - view.received) / view.speed);
  return seconds < kMinute ? fmt::format("{:.0f}s", seconds) : human_duration(seconds);
}

std::string progress_line(const ProgressView& view) {
  return fmt::format("{:3} %  {} of {}  {}/s  {} left", percent_of(view),
                     human_bytes(view.received), human_bytes(view.length),
                     human_bytes(static_cast<std::uint64_t>(view.speed)), time_left(view));
}

std::string progress_bar(const ProgressView& view, std::size_t columns) {
  const std::string line = progress_line(view);
  // "[", "]" and a space.
  if (columns < line.size() + kLeastBar + 3) return line.substr(0, columns);
  const std::size_t width = std::min(kMostBar, columns - line.size() - 3);
  const auto filled = static_cast<std::size_t>(share_of(view) * static_cast<double>(width));
  return fmt::format("[{:=<{}}{: <{}}] {}", "", filled, "", width - filled, line);
}

}  // namespace perch::peer
