// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/local_time.h"

#include <array>
#include <ctime>
#include <string_view>

namespace perch::cli {

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
