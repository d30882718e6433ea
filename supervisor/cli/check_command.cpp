// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/check_command.h"

#include <ostream>

#include "supervisor/cli/surprises.h"
#include "supervisor/config/load.h"
#include "supervisor/config/render.h"

namespace perch::cli {

ExitCode check_command(const CheckOptions& options, std::ostream& out, std::ostream& error) {
  const auto config = config::load(options.config, options.overrides);
  if (!config) {
    for (const config::Problem& problem : config.error())
      error << "perch: " << problem.text << '\n';
    return ExitCode::Usage;
  }
  for (const std::string& surprise : surprises(*config)) {
    error << "perch: warning: " << surprise << '\n';
  }
  out << config::to_toml(*config);
  return ExitCode::Stopped;
}

}  // namespace perch::cli
