// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/memory_sum.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#include "supervisor/config/units.h"

namespace perch::config {

std::string problem_with_memory_sum(const Config& config, std::uint64_t container) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t sum = 0;
  std::vector<std::string_view> names;
  for (const auto& [name, worker] : config.workers) {
    if (!worker.memory.max) continue;
    names.push_back(name);
    sum += std::min(*worker.memory.max, kMost - sum);
  }
  if (names.size() < 2 || sum <= container) return {};
  return fmt::format(
      "workers {}: memory.max of all is {} together, more than the container's {}, which they can "
      "reach before their own; lower them, or raise the container's",
      fmt::join(names, ", "), size_text(sum), size_text(container));
}

}  // namespace perch::config
