// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/human.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>
#include <string_view>

namespace perch::cli {

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

std::string local_time(const std::string& at) {
  std::tm utc{};
  const char* const rest = ::strptime(at.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest == nullptr || !at.ends_with('Z')) return at;
  const std::time_t time = ::timegm(&utc);
  std::tm local{};
  std::array<char, 32> text{};
  if (::localtime_r(&time, &local) == nullptr) return at;
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  const std::string_view fraction(rest);
  return std::string(text.data(), size).append(fraction.substr(0, fraction.size() - 1));
}

}  // namespace perch::cli
