// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/status_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <expected>
#include <thread>

#include "common/value/text.h"
#include "supervisor/cli/ask_perch.h"
#include "supervisor/cli/screen.h"
#include "supervisor/cli/status_table.h"
#include "supervisor/cli/worker_page.h"

namespace perch::cli {
namespace {

Result<std::string> view(const StatusOptions& options, const std::string& document, Colour colour) {
  return options.worker.empty() ? status_table(document, colour)
                                : worker_page(document, options.worker, colour);
}

// Else the exit code, and why is said on stderr.
std::expected<std::string, int> ask_for_view(const StatusOptions& options, Colour colour) {
  const auto response = ask_perch(options.control, "GET", "/v1/status");
  if (!response) return std::unexpected(static_cast<int>(ExitCode::Unreachable));
  const bool good = response->status == 200 && status_table(response->body, colour);
  if (!good) return std::unexpected(unexpected_answer("status", *response));
  if (options.json) return response->body;
  auto shown = view(options, response->body, colour);
  if (!shown) return std::unexpected(complain(ExitCode::Usage, shown.error().text()));
  return std::move(*shown);
}

// On a screen that is already taken the reason stands in the view's place: perch may come back.
std::string view_or_reason(const StatusOptions& options, Colour colour) {
  const auto response = control::request(options.control, "GET", "/v1/status", kAnswerTime);
  const std::string place = printable(options.control);
  if (!response) return fmt::format("no perch answers at {}: {}", place, response.error().text());
  if (response->status != 200) return fmt::format("{}: {}", place, error_of(*response));
  const auto shown = view(options, response->body, colour);
  return shown ? *shown : shown.error().text();
}

int show(const StatusOptions& options) {
  const auto shown = ask_for_view(options, colour_for_stdout());
  return shown ? print(*shown) : shown.error();
}

// For who reads them elsewhere; until perch or the reader is gone.
int show_one_after_another(const StatusOptions& options) {
  for (;;) {
    if (const int code = show(options); code != 0) return code;
    std::this_thread::sleep_for(*options.watch);
    if (options.json) continue;
    if (const int code = print("\n"); code != 0) return code;
  }
}

int show_in_place(const StatusOptions& options) {
  const Colour colour = colour_for_stdout();
  auto shown = ask_for_view(options, colour);
  if (!shown) return shown.error();
  const auto screen = Screen::take();
  if (!screen) return complain(ExitCode::SystemRefused, screen.error().text());
  for (;;) {
    (*screen)->draw(*shown);
    const Screen::Wake wake = (*screen)->wait(*options.watch);
    if (wake == Screen::Wake::Quit) return static_cast<int>(ExitCode::Stopped);
    if (wake == Screen::Wake::Time) shown = view_or_reason(options, colour);
  }
}

}  // namespace

int status_command(const StatusOptions& options) {
  if (!options.watch) return show(options);
  const bool in_place = !options.json && ::isatty(STDOUT_FILENO) == 1;
  return in_place ? show_in_place(options) : show_one_after_another(options);
}

}  // namespace perch::cli
