// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/check_command.h"

#include <fmt/format.h>

#include <cstdio>

#include "supervisor/cli/surprises.h"
#include "supervisor/config/load.h"
#include "supervisor/config/render.h"

namespace perch::cli {

CheckAnswer check(const CheckOptions& options) {
  std::string error;
  const auto config = config::load(options.config, options.overrides);
  if (!config) {
    for (const config::Problem& problem : config.error()) {
      error += fmt::format("perch: {}\n", problem.text);
    }
    return {ExitCode::Usage, "", std::move(error)};
  }
  for (const std::string& surprise : surprises(*config)) {
    error += fmt::format("perch: warning: {}\n", surprise);
  }
  return {ExitCode::Stopped, config::to_toml(*config), std::move(error)};
}

int check_command(const CheckOptions& options) {
  const CheckAnswer answer = check(options);
  fmt::print(stdout, "{}", answer.out);
  fmt::print(stderr, "{}", answer.error);
  return static_cast<int>(answer.code);
}

}  // namespace perch::cli
