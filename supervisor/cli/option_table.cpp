// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/option_table.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <ranges>
#include <string_view>
#include <variant>

#include "supervisor/cli/command_table.h"

namespace perch::cli {
namespace {

using Text = std::optional<std::string> Values::*;
using Texts = std::vector<std::string> Values::*;
using Flag = bool Values::*;

constexpr std::string_view kStarters = "run check";
constexpr std::string_view kClients = "status events restart stop start reload ready";
constexpr std::string_view kActions = "restart stop start";

struct OptionEntry {
  std::string_view commands;  // names between spaces
  const char* names;          // without a dash: an argument by its position
  const char* type;           // what its value is; empty: it takes none
  std::variant<Text, Texts, Flag> into;
  const char* help;
  const char* otherwise = nullptr;  // the value may be left out, and is this then
};

const auto kOptions = std::to_array<OptionEntry>({
    {kStarters, "-c,--config", "FILE", &Values::config, "the configuration file [PERCH_CONFIG]"},
    {"check", "--diff", "", &Values::diff,
     "what a reload of the running perch would change; without -c its own file is read"},
    {kStarters, "--listen", "[NAME=]PATH", &Values::listen,
     "a socket to own; may be repeated, and replaces the path of the listener NAME"},
    {kStarters, "--handover", "WAY", &Values::handover,
     "how the worker gets its listeners: channel, intercept, listen-fds or stdin"},
    {kStarters, "--intercept", "", &Values::intercept,
     "--handover intercept: the worker binds its socket itself, and gets perch's"},
    {kStarters, "--policy", "WHEN", &Values::policy,
     "when the worker is started again: always, on-failure or never"},
    {kStarters, "--control", "PATH", &Values::control,
     "the control socket, or none; by default in /run/perch or $XDG_RUNTIME_DIR [PERCH_CONTROL]"},
    {kStarters, "--keeper", "PATH", &Values::keeper,
     "the socket of a perch keep that keeps the listeners when perch is killed, or none"},
    {"keep", "--socket", "PATH", &Values::socket,
     "where perch finds the keeper; /run/perch/keep.sock unless told"},
    {"keep", "--user", "USER", &Values::user,
     "who may use the keeper beside root and its own user; may be repeated"},
    {kStarters, "--stop-timeout", "TIME", &Values::stop_timeout,
     "how long the worker may take to stop, such as 25s"},
    {kStarters, "--log-format", "FORMAT", &Values::log_format, "auto, json or text"},
    {"status", "worker", "WORKER", &Values::worker, "this worker, with all that is known of it"},
    {kActions, "worker", "WORKER", &Values::worker, "may be left out where there is only one"},
    {"status", "--watch", "[SECONDS]", &Values::watch,
     "again and again, every second unless told; q ends it", kEverySecond},
    {"install", "place", "PATH", &Values::place, "the new file, or a directory, for PATH/perch"},
    {kActions, "--all", "", &Values::all, "every worker, one after another, until one fails"},
    {kActions, "--no-wait", "", &Values::no_wait, "ask for it, and do not wait for the result"},
    {"doctor", "--timeout", "TIME", &Values::timeout,
     "how long the command may take until it listens; 10s unless told"},
    {kActions, "--timeout", "TIME", &Values::timeout,
     "wait so long for each, such as 30s; else as long as perch tries"},
    {"events", "-f,--follow", "", &Values::follow, "go on with what happens from now on"},
    {"events", "--since", "ID", &Values::since, "only what came after the event of this number"},
    {"status", "--json", "", &Values::json, "the whole document, as the control socket gives it"},
    {"events", "--json", "", &Values::json,
     "one JSON object a line, as the control socket gives it"},
    {kClients, "--control", "PATH", &Values::control,
     "the control socket of the perch to ask [PERCH_CONTROL]"},
});

bool has_word(std::string_view words, std::string_view word) {
  return std::ranges::any_of(words | std::views::split(' '), [word](const auto& part) {
    return std::string_view(part.begin(), part.end()) == word;
  });
}

CLI::Option* add(CLI::App& command, const OptionEntry& entry, Values& values) {
  if (const auto* const flag = std::get_if<Flag>(&entry.into)) {
    return command.add_flag(entry.names, values.**flag, entry.help);
  }
  if (const auto* const texts = std::get_if<Texts>(&entry.into)) {
    return command.add_option(entry.names, values.**texts, entry.help)
        ->allow_extra_args(false)
        ->take_all();
  }
  CLI::Option* const option =
      command.add_option(entry.names, values.*std::get<Text>(entry.into), entry.help);
  return entry.otherwise == nullptr ? option : option->expected(0, 1)->default_str(entry.otherwise);
}

}  // namespace

void describe(CLI::App& app, Values& values) {
  app.set_help_flag("-h,--help", "print this help");
  // The last of a repeated option counts: what is appended to an entrypoint can override it.
  app.option_defaults()->take_last();
  app.add_flag("--version", values.version, "print the version");
  for (const CommandEntry& known : kCommands) {
    CLI::App* const command = app.add_subcommand(std::string(known.name), std::string(known.help));
    for (const OptionEntry& entry : kOptions) {
      if (!has_word(entry.commands, known.name)) continue;
      CLI::Option* const option = add(*command, entry, values);
      if (*entry.type != '\0') option->type_name(entry.type);
    }
  }
  app.require_subcommand(0, 1);
}

}  // namespace perch::cli
