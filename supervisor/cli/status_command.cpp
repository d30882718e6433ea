// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/status_command.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string_view>

#include "supervisor/cli/ask_perch.h"
#include "supervisor/cli/status_table.h"

namespace perch::cli {
namespace {

constexpr std::chrono::seconds kTimeout{5};

// https://no-color.org
Colour colour_for_stdout() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool unwanted = (no_colour != nullptr && *no_colour != '\0') || terminal == nullptr ||
                        std::string_view(terminal) == "dumb";
  return !unwanted && ::isatty(STDOUT_FILENO) == 1 ? Colour::On : Colour::Off;
}

}  // namespace

int status_command(const StatusOptions& options) {
  const auto response = ask_perch(options.control, "GET", "/v1/status", kTimeout);
  if (!response) return static_cast<int>(ExitCode::Unreachable);
  if (response->status != 200) return unexpected_answer("status", *response);
  if (options.json) return print(response->body);
  const auto table = status_table(response->body, colour_for_stdout());
  return table ? print(*table) : unexpected_answer("status", *response);
}

}  // namespace perch::cli
