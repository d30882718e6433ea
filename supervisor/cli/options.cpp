// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "common/value/text.h"
#include "supervisor/cli/help.h"
#include "supervisor/config/control_place.h"
#include "supervisor/config/nearest.h"

namespace perch::cli {
namespace {

using Arguments = std::vector<std::string>;

// Everything the options can set, whichever command they belong to.
struct Values {
  std::string config;
  config::Overrides overrides;
  std::optional<std::string> control;
  bool json = false;
  bool version = false;
};

void add_configuration(CLI::App& command, Values& values) {
  config::Overrides& overrides = values.overrides;
  command.add_option("-c,--config", values.config, "the configuration file [PERCH_CONFIG]")
      ->type_name("FILE");
  command
      .add_option("--listen", overrides.listen,
                  "a socket to own; may be repeated, and replaces the path of the listener NAME")
      ->type_name("[NAME=]PATH")
      ->allow_extra_args(false)
      ->take_all();
  command
      .add_option("--handover", overrides.handover,
                  "how the worker gets its listeners: channel, listen-fds or stdin")
      ->type_name("WAY");
  command
      .add_option("--policy", overrides.policy,
                  "when the worker is started again: always, on-failure or never")
      ->type_name("WHEN");
  command
      .add_option("--control", values.control,
                  "the control socket, or none; by default in /run/perch or $XDG_RUNTIME_DIR "
                  "[PERCH_CONTROL]")
      ->type_name("PATH");
  command
      .add_option("--stop-timeout", overrides.stop_timeout,
                  "how long the worker may take to stop, such as 25s")
      ->type_name("TIME");
  command.add_option("--log-format", overrides.log_format, "auto, json or text")
      ->type_name("FORMAT");
}

void add_client(CLI::App& command, Values& values) {
  command
      .add_option("--control", values.control,
                  "the control socket of the perch to ask [PERCH_CONTROL]")
      ->type_name("PATH");
}

void describe(CLI::App& app, Values& values) {
  app.set_help_flag("-h,--help", "print this help");
  // The last of a repeated option counts: what is appended to an entrypoint can override it.
  app.option_defaults()->take_last();
  app.add_flag("--version", values.version, "print the version");
  add_configuration(*app.add_subcommand("run", kRunHelp), values);
  add_configuration(*app.add_subcommand("check", kCheckHelp), values);
  CLI::App* const status = app.add_subcommand("status", kStatusHelp);
  add_client(*status, values);
  status->add_flag("--json", values.json, "the whole document, as the control socket gives it");
  add_client(*app.add_subcommand("reload", kReloadHelp), values);
  add_client(*app.add_subcommand("ready", kReadyHelp), values);
  app.add_subcommand("version", kVersionHelp);
  app.require_subcommand(0, 1);
}

ExitWithText usage(std::string_view what, std::string_view command) {
  return {ExitCode::Usage,
          fmt::format("perch: {}; see perch{}{} --help\n", printable(what),
                      command.empty() ? "" : " ", command),
          ExitWithText::Stream::Error};
}

std::string chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? "" : commands.front()->get_name();
}

std::expected<std::string, ExitWithText> control_of(const Values& values,
                                                    const Environment& environment,
                                                    const std::string& command) {
  for (const std::string& candidate :
       {values.control.value_or(""), environment.control, environment.default_control}) {
    if (candidate == "none") break;
    if (!candidate.empty()) return candidate;
  }
  return std::unexpected(usage("no control socket to ask; give --control PATH", command));
}

template <class Options>
Options with_configuration(Values values, const Environment& environment) {
  Options options{values.config.empty() ? environment.config : values.config,
                  std::move(values.overrides)};
  options.overrides.control = values.control;
  if (!values.control && !environment.control.empty()) {
    options.overrides.control = environment.control;
  }
  return options;
}

std::expected<Command, ExitWithText> command_of(const std::string& name, Values values,
                                                const Environment& environment) {
  if (name == "version") return VersionOptions{};
  if (name == "run") return with_configuration<RunOptions>(std::move(values), environment);
  if (name == "check") return with_configuration<CheckOptions>(std::move(values), environment);
  auto control = control_of(values, environment, name);
  if (!control) return std::unexpected(std::move(control.error()));
  if (name == "status") return StatusOptions{std::move(*control), values.json};
  if (name == "reload") return ReloadOptions{std::move(*control)};
  return ReadyOptions{std::move(*control)};
}

std::vector<std::string> known_words(const CLI::App& app, bool options) {
  std::vector<std::string> words;
  if (options) {
    for (const CLI::Option* const option : app.get_options()) {
      words.push_back(option->get_name());
    }
  } else {
    for (const CLI::App* const command : app.get_subcommands({})) {
      words.push_back(command->get_name());
    }
  }
  return words;
}

ExitWithText unexpected_argument(const CLI::App& app) {
  const std::string name = chosen(app);
  const CLI::App& command = name.empty() ? app : *app.get_subcommand(name);
  const std::string word = app.remaining(true).front();
  const bool option = word.starts_with('-');
  const std::string_view kind = option         ? "unknown option"
                                : name.empty() ? "unknown command"
                                               : "unexpected argument";
  const std::vector<std::string> words = known_words(command, option);
  const std::vector<std::string_view> known(words.begin(), words.end());
  if (const auto meant = config::nearest(word, known)) {
    return usage(fmt::format("{} '{}' (did you mean {}?)", kind, word, *meant), name);
  }
  const bool worker = !option && (name == "run" || name == "check");
  return usage(
      fmt::format("{} '{}'{}", kind, word, worker ? ": the worker's command goes after --" : ""),
      name);
}

// CLI11 throws, help included.
std::optional<ExitWithText> parse(CLI::App& app, std::span<const std::string> arguments) {
  try {
    // It takes them in reverse.
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return ExitWithText{ExitCode::Stopped, help_text(app, chosen(app)), ExitWithText::Stream::Out};
  } catch (const CLI::ExtrasError&) {
    return unexpected_argument(app);
  } catch (const CLI::Error& error) {
    return usage(error.what(), chosen(app));
  }
}

}  // namespace

Environment environment() {
  const auto get = [](const char* name) -> std::string {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? "" : value;
  };
  return {.config = get("PERCH_CONFIG"),
          .control = get("PERCH_CONTROL"),
          .default_control = config::default_control(config::control_places())};
}

std::expected<Command, ExitWithText> parse_options(int argc, const char* const* argv,
                                                   const Environment& environment) {
  const Arguments all(argv + std::min(argc, 1), argv + argc);
  // What follows -- is the worker's, untouched by the parser.
  const auto split = std::ranges::find(all, "--");
  Values values;
  CLI::App app;
  describe(app, values);
  if (auto exit = parse(app, {all.begin(), split})) return std::unexpected(std::move(*exit));
  if (values.version) return VersionOptions{};
  const std::string name = chosen(app);
  if (name.empty()) {
    return std::unexpected(
        ExitWithText{ExitCode::Usage, help_text(app, ""), ExitWithText::Stream::Error});
  }
  if (split != all.end()) values.overrides.command.assign(split + 1, all.end());
  if (!values.overrides.command.empty() && name != "run" && name != "check") {
    return std::unexpected(usage("only run and check take a command after --", name));
  }
  return command_of(name, std::move(values), environment);
}

}  // namespace perch::cli
