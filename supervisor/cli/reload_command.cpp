// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/reload_command.h"

#include <chrono>

#include "supervisor/cli/ask_perch.h"

namespace perch::cli {
namespace {

// Loading is quick; claiming new listeners on a slow file system may not be.
constexpr std::chrono::seconds kTimeout{60};

}  // namespace

int reload_command(const ReloadOptions& options) {
  const auto response = ask_perch(options.control, "POST", "/v1/reload", kTimeout);
  if (!response) return static_cast<int>(ExitCode::Unreachable);
  if (response->status == 200) return print("configuration reloaded\n");
  if (response->status != 422) return unexpected_answer("reload", *response);
  return complain(ExitCode::SystemRefused,
                  "reload refused, nothing has changed: " + error_of(*response));
}

}  // namespace perch::cli
