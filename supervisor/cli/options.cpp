// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/value/text.h"
#include "supervisor/cli/help.h"
#include "supervisor/cli/option_table.h"
#include "supervisor/config/control_place.h"
#include "supervisor/config/names.h"
#include "supervisor/config/nearest.h"
#include "supervisor/config/units.h"

namespace perch::cli {
namespace {

using Arguments = std::vector<std::string>;
using std::chrono::milliseconds;

constexpr auto kKeeperSocket = "/run/perch/keep.sock";
constexpr milliseconds kShortestWatch{100};
constexpr milliseconds kLongestWatch{24 * 60 * 60 * 1000};

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
  return std::unexpected(
      usage("no control socket to ask; give --control PATH or set PERCH_CONTROL", command));
}

config::Overrides overrides_of(Values values, Arguments command, const Environment& environment) {
  if (values.intercept) values.handover = "intercept";
  config::Overrides overrides{.listen = std::move(values.listen),
                              .command = std::move(command),
                              .handover = std::move(values.handover),
                              .policy = std::move(values.policy),
                              .control = std::move(values.control),
                              .keeper = std::move(values.keeper),
                              .stop_timeout = std::move(values.stop_timeout),
                              .log_format = std::move(values.log_format)};
  const bool from_environment = !overrides.control && !environment.control.empty();
  if (from_environment) overrides.control = environment.control;
  return overrides;
}

// "2" is seconds; else a duration with its unit.
config::Parsed<milliseconds> parse_time(const std::string& text) {
  constexpr std::uint64_t kYear = 365ULL * 24 * 60 * 60;
  const auto seconds = config::parse_count(text);
  if (seconds && *seconds <= kYear) return std::chrono::seconds(*seconds);
  return config::parse_duration(text);
}

// What one command was given.
struct Given {
  std::string command;
  Values values;
  Arguments worker_command;
  std::string control;  // of the perch to ask; empty for those that ask none
  const Environment& environment;
};
using Made = std::expected<Command, ExitWithText>;

std::unexpected<ExitWithText> wrong(const Given& given, std::string_view what) {
  return std::unexpected(usage(what, given.command));
}

Made make_run(Given given) {
  return RunOptions{
      .config = given.values.config.value_or(given.environment.config),
      .overrides = overrides_of(given.values, std::move(given.worker_command), given.environment)};
}

Made make_check(Given given) {
  // Who names the perch to ask does not say where the file should put its control socket.
  if (given.values.diff) given.values.control.reset();
  return CheckOptions{
      .config = given.values.config.value_or(given.environment.config),
      .overrides = overrides_of(given.values, std::move(given.worker_command), given.environment),
      .control = given.control};
}

Made make_status(Given given) {
  Values& values = given.values;
  // "--watch app": what is no time is the worker's name.
  if (values.watch && !values.worker && !parse_time(*values.watch)) {
    values.worker = std::exchange(values.watch, kEverySecond);
  }
  StatusOptions options{
      .control = given.control, .json = values.json, .worker = values.worker.value_or("")};
  if (!values.watch) return options;
  const auto time = parse_time(*values.watch);
  if (!time) return wrong(given, "--watch: " + time.error());
  options.watch = std::clamp(*time, kShortestWatch, kLongestWatch);
  return options;
}

Made make_events(const Given& given) {
  const auto since = config::parse_count(given.values.since.value_or("0"));
  if (!since) return wrong(given, "--since: " + since.error());
  return EventsOptions{.control = given.control,
                       .follow = given.values.follow,
                       .json = given.values.json,
                       .since = *since};
}

Made make_action(const Given& given, Request request) {
  const Values& values = given.values;
  if (values.all && values.worker) return wrong(given, "give WORKER or --all, not both");
  WorkerOptions options{.control = given.control,
                        .request = request,
                        .worker = values.worker.value_or(""),
                        .all = values.all,
                        .wait = !values.no_wait};
  if (!values.timeout) return options;
  const auto time = parse_time(*values.timeout);
  if (!time) return wrong(given, "--timeout: " + time.error());
  options.timeout = *time;
  return options;
}

Made make_doctor(Given given) {
  if (given.worker_command.empty()) return wrong(given, "a command is needed after --");
  DoctorOptions options{.command = std::move(given.worker_command)};
  if (!given.values.timeout) return options;
  const auto time = parse_time(*given.values.timeout);
  if (!time) return wrong(given, "--timeout: " + time.error());
  options.patience = *time;
  return options;
}

Made make_install(Given given) {
  if (!given.values.place || given.values.place->empty()) {
    return wrong(given, "a PATH is needed: a file, or a directory");
  }
  return InstallOptions{std::move(*given.values.place)};
}

Made make_keep(Given given) {
  const auto socket = config::parse_socket_path(given.values.socket.value_or(kKeeperSocket));
  if (!socket) return wrong(given, "--socket: " + socket.error());
  if (!socket->starts_with('/')) return wrong(given, "--socket: an abstract name has no rights");
  return KeepOptions{.socket = *socket,
                     .users = std::move(given.values.user),
                     .command = std::move(given.worker_command)};
}

Made command_of(Given given) {
  const std::string& name = given.command;
  if (name == "version") return VersionOptions{};
  if (name == "install") return make_install(std::move(given));
  if (given.values.intercept && given.values.handover) {
    return wrong(given, "give --intercept or --handover, not both");
  }
  if (name == "run") return make_run(std::move(given));
  if (name == "doctor") return make_doctor(std::move(given));
  if (name == "keep") return make_keep(std::move(given));
  if (name != "check" || given.values.diff) {
    auto control = control_of(given.values, given.environment, name);
    if (!control) return std::unexpected(std::move(control.error()));
    given.control = std::move(*control);
  }
  if (name == "check") return make_check(std::move(given));
  if (name == "status") return make_status(std::move(given));
  if (name == "events") return make_events(given);
  if (name == "reload") return ReloadOptions{given.control};
  if (name == "ready") return ReadyOptions{given.control};
  for (const Request request : {Request::Restart, Request::Stop}) {
    if (name == cli::name(request)) return make_action(given, request);
  }
  return make_action(given, Request::Start);
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

// After "--".
bool takes_command(std::string_view name) {
  return name == "run" || name == "check" || name == "doctor" || name == "keep";
}

// Where a word should stand that stands where none may.
std::string_view place_of(std::string_view word) {
  return word.ends_with(".toml") ? ": a configuration is given with -c"
                                 : ": the worker's command goes after --";
}

ExitWithText unexpected_argument(const CLI::App& app) {
  const std::string name = chosen(app);
  const CLI::App& command = name.empty() ? app : *app.get_subcommand(name);
  const std::string word = app.remaining(true).front();
  const bool option = word.starts_with('-');
  if (option && command.get_option_no_throw(word) != nullptr) {
    return usage(fmt::format("'{}' goes after the command: perch {} {}", word, name, word), name);
  }
  const std::string_view kind = option         ? "unknown option"
                                : name.empty() ? "unknown command"
                                               : "unexpected argument";
  const std::vector<std::string> words = known_words(command, option);
  const std::vector<std::string_view> known(words.begin(), words.end());
  if (const auto meant = config::nearest(word, known)) {
    return usage(fmt::format("{} '{}' (did you mean {}?)", kind, word, *meant), name);
  }
  const bool starter = takes_command(name);
  return usage(fmt::format("{} '{}'{}", kind, word, starter && !option ? place_of(word) : ""),
               name);
}

// "--config: 1 required FILE missing" in our words; else theirs.
std::string in_our_words(std::string_view text) {
  constexpr std::string_view kRequired = ": 1 required ";
  constexpr std::string_view kMissing = " missing";
  const std::size_t at = text.find(kRequired);
  if (at == std::string_view::npos || !text.ends_with(kMissing)) return std::string(text);
  text.remove_suffix(kMissing.size());
  return fmt::format("{} needs a value: {}", text.substr(0, at),
                     text.substr(at + kRequired.size()));
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
    return usage(in_our_words(error.what()), chosen(app));
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
  Arguments worker_command;
  if (split != all.end()) worker_command.assign(split + 1, all.end());
  if (!worker_command.empty() && !takes_command(name)) {
    return std::unexpected(usage("only run, check, doctor and keep take a command after --", name));
  }
  return command_of({.command = name,
                     .values = std::move(values),
                     .worker_command = std::move(worker_command),
                     .control = "",
                     .environment = environment});
}

}  // namespace perch::cli
