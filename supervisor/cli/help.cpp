// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/help.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "supervisor/cli/command_table.h"
#include "supervisor/exit_code.h"

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
  perch check -c /etc/perch.toml --diff && perch reload
  perch restart app && perch status app
)";

constexpr std::size_t kLabelWidth = 24;

std::string synopsis(const CommandEntry& command) {
  return fmt::format("perch {}{}{}", command.name, command.arguments.empty() ? "" : " ",
                     command.arguments);
}

// A label that leaves no room has a line of its own.
std::string row(const std::string& label, const std::string& text) {
  if (label.size() < kLabelWidth) return fmt::format("  {:<{}} {}\n", label, kLabelWidth, text);
  return fmt::format("  {}\n  {:<{}} {}\n", label, "", kLabelWidth, text);
}

std::string label_of(const CLI::Option& option) {
  if (option.get_positional()) return option.get_type_name();
  const bool takes_value = option.get_expected_max() != 0;
  return option.get_name(false, true) + (takes_value ? " " + option.get_type_name() : "");
}

std::string options_of(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* const option : command.get_options()) {
    text += row(label_of(*option), option->get_description());
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
  const auto* const entry = std::ranges::find(kCommands, command.get_name(), &CommandEntry::name);
  return fmt::format("Usage: {}\n\n{}\n\nOptions:\n{}{}", synopsis(*entry),
                     command.get_description(), options_of(command), exit_codes());
}

}  // namespace

std::string help_text(const CLI::App& app, const std::string& command) {
  if (!command.empty()) return command_help(*app.get_subcommand(command));
  std::string text = fmt::format("{}\nUsage:\n", kPurpose);
  for (const CommandEntry& known : kCommands) text += fmt::format("  {}\n", synopsis(known));
  text += "\nCommands (perch COMMAND --help says more):\n";
  for (const CommandEntry& known : kCommands) {
    text += fmt::format("  {:<8} {}\n", known.name, known.help);
  }
  return text + kExamples + exit_codes();
}

}  // namespace perch::cli
