// SPDX-License-Identifier: Apache-2.0
#include "supervisor/ending.h"

#include <algorithm>
#include <utility>

namespace perch {

Ending own_failure(ExitCode code, std::string why, const config::Config& config) {
  const bool transparent = std::ranges::any_of(config.workers, [](const auto& entry) {
    return entry.second.restart.policy == config::RestartWhen::Never;
  });
  return {static_cast<int>(transparent ? ExitCode::Own : code), std::move(why)};
}

}  // namespace perch
