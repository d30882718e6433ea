// SPDX-License-Identifier: Apache-2.0
#include "common/value/human.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

namespace perch {

std::string human_duration(double seconds) {
  constexpr double kMinute = 60;
  constexpr double kHour = 60 * kMinute;
  constexpr double kDay = 24 * kHour;
  const auto pair = [seconds](double unit, char major, double part, char minor) {
    const double whole = std::floor(seconds / unit);
    return fmt::format("{:.0f}{}{:02.0f}{}", whole, major,
                       std::floor((seconds - whole * unit) / part), minor);
  };
  if (seconds < 0.01) return fmt::format("{:.1f}ms", seconds * 1'000);
  if (seconds < 1) return fmt::format("{:.0f}ms", seconds * 1'000);
  if (seconds < kMinute) return fmt::format("{:.1f}s", seconds);
  if (seconds < kHour) return pair(kMinute, 'm', 1, 's');
  if (seconds < kDay) return pair(kHour, 'h', kMinute, 'm');
  return pair(kDay, 'd', kHour, 'h');
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> kUnits{"KiB", "MiB", "GiB", "TiB"};
  constexpr double kStep = 1024;
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double amount = static_cast<double>(bytes) / kStep;
  std::size_t unit = 0;
  for (; amount >= kStep && unit + 1 < kUnits.size(); ++unit) amount /= kStep;
  return fmt::format("{:.1f} {}", amount, kUnits.at(unit));
}

}  // namespace perch
