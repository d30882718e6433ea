// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/help.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "supervisor/cli/exit_code.h"

namespace perch::cli {
namespace {

constexpr auto kPurpose =
    R"(perch keeps a Unix socket alive while the process behind it comes and goes.
It owns the listening socket, hands it to a worker, and starts the next worker on the same
socket when one is OOM-killed or crashes: clients wait a moment, and none is refused.
)";

constexpr auto kExamples = R"(
Examples:
  perch run --listen /run/app/api.sock -- /usr/bin/app --serve
  perch run -c /etc/perch.toml
  perch check -c /etc/perch.toml && perch reload
)";

struct Synopsis {
  std::string_view command;
  std::string_view text;
};

constexpr auto kSynopses = std::to_array<Synopsis>({
    {"run", "perch run [-c FILE] [--listen [NAME=]PATH]... [OPTIONS] [-- COMMAND ARG...]"},
    {"check", "perch check [-c FILE] [--listen [NAME=]PATH]... [OPTIONS] [-- COMMAND ARG...]"},
    {"status", "perch status [--json] [--control PATH]"},
    {"reload", "perch reload [--control PATH]"},
    {"ready", "perch ready [--control PATH]"},
    {"version", "perch version"},
});

std::string options_of(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* const option : command.get_options()) {
    const std::string value = option->get_expected_max() == 0 ? "" : " " + option->get_type_name();
    text += fmt::format("  {:<24} {}\n", option->get_name(false, true) + value,
                        option->get_description());
  }
  return text;
}

std::string exit_codes() {
  std::string text = "\nExit codes:\n";
  for (const ExitCodeMeaning& known : kExitCodes) {
    text += fmt::format("  {:>3}  {}\n", static_cast<int>(known.code), known.meaning);
  }
  return text;
}

std::string command_help(const CLI::App& command) {
  std::string usage;
  for (const Synopsis& synopsis : kSynopses) {
    if (synopsis.command == command.get_name()) usage = synopsis.text;
  }
  return fmt::format("Usage: {}\n\n{}\n\nOptions:\n{}{}", usage, command.get_description(),
                     options_of(command), exit_codes());
}

}  // namespace

std::string help_text(const CLI::App& app, const std::string& command) {
  if (!command.empty()) return command_help(*app.get_subcommand(command));
  std::string text = fmt::format("{}\nUsage:\n", kPurpose);
  for (const Synopsis& synopsis : kSynopses) text += fmt::format("  {}\n", synopsis.text);
  text += "\nCommands (perch COMMAND --help says more):\n";
  for (const CLI::App* const known : app.get_subcommands({})) {
    text += fmt::format("  {:<8} {}\n", known->get_name(), known->get_description());
  }
  return text + kExamples + exit_codes();
}

}  // namespace perch::cli
