// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/options.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "supervisor/cli/command_table.h"

namespace perch::cli {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

const Environment kNothing{.config = "", .control = "", .default_control = "/run/default.sock"};

std::expected<Command, ExitWithText> parsed(const Names& words,
                                            const Environment& environment = kNothing) {
  std::vector<const char*> argv{"perch"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  return parse_options(static_cast<int>(argv.size()), argv.data(), environment);
}

template <class Options>
Options options_of(const Names& words, const Environment& environment = kNothing) {
  auto command = parsed(words, environment);
  INFO((command ? "" : command.error().text));
  REQUIRE(command.has_value());
  REQUIRE(std::holds_alternative<Options>(*command));
  return std::get<Options>(std::move(*command));
}

ExitWithText exit_of(const Names& words, const Environment& environment = kNothing) {
  auto command = parsed(words, environment);
  REQUIRE_FALSE(command.has_value());
  return std::move(command.error());
}

}  // namespace

TEST_CASE("run takes a file, options, and a command that is the worker's alone") {
  const auto run = options_of<RunOptions>({"run",
                                           "-c",
                                           "/etc/perch.toml",
                                           "--listen",
                                           "/a",
                                           "--listen=b=/b",
                                           "--handover",
                                           "stdin",
                                           "--policy",
                                           "never",
                                           "--control",
                                           "none",
                                           "--stop-timeout",
                                           "3s",
                                           "--log-format",
                                           "json",
                                           "--",
                                           "app",
                                           "--listen",
                                           "-c",
                                           "--",
                                           "--help"});
  CHECK(run.config == "/etc/perch.toml");
  CHECK(run.overrides.listen == Names{"/a", "b=/b"});
  CHECK(run.overrides.handover == "stdin");
  CHECK(run.overrides.policy == "never");
  CHECK(run.overrides.control == "none");
  CHECK(run.overrides.stop_timeout == "3s");
  CHECK(run.overrides.log_format == "json");
  CHECK(run.overrides.command == Names{"app", "--listen", "-c", "--", "--help"});
}

TEST_CASE("--intercept is a short word for the hand-over of that name") {
  for (const char* command : {"run", "check"}) {
    const ExitWithText both = exit_of({command, "--intercept", "--handover", "stdin"});
    CHECK(both.code == ExitCode::Usage);
    CHECK(both.text.contains("give --intercept or --handover, not both"));
  }
  CHECK(options_of<RunOptions>({"run", "--intercept", "--", "app"}).overrides.handover ==
        "intercept");
  CHECK(options_of<CheckOptions>({"check", "--intercept"}).overrides.handover == "intercept");
}

TEST_CASE("what is not given stays unset") {
  const auto run = options_of<RunOptions>({"run"});
  CHECK(run.config == "");
  CHECK(run.overrides.listen.empty());
  CHECK(run.overrides.command.empty());
  CHECK_FALSE(run.overrides.handover.has_value());
  CHECK_FALSE(run.overrides.policy.has_value());
  CHECK_FALSE(run.overrides.control.has_value());
  CHECK_FALSE(run.overrides.stop_timeout.has_value());
  CHECK_FALSE(run.overrides.log_format.has_value());
}

TEST_CASE("an entrypoint that ends in -- runs with and without arguments") {
  CHECK(options_of<RunOptions>({"run", "-c", "f", "--"}).overrides.command.empty());
  CHECK(options_of<RunOptions>({"run", "-c", "f", "--", "x"}).overrides.command == Names{"x"});
}

TEST_CASE("the last of a repeated option counts, every --listen does") {
  const auto run =
      options_of<RunOptions>({"run", "-c", "a", "--config", "b", "--policy", "always", "--policy",
                              "never", "--listen", "/a", "--listen", "/b"});
  CHECK(run.config == "b");
  CHECK(run.overrides.policy == "never");
  CHECK(run.overrides.listen == Names{"/a", "/b"});
}

TEST_CASE("check takes what run takes") {
  const auto check = options_of<CheckOptions>({"check", "-cf", "--listen", "/a", "--", "app"});
  CHECK(check.config == "f");
  CHECK(check.overrides.listen == Names{"/a"});
  CHECK(check.overrides.command == Names{"app"});
}

TEST_CASE("the environment stands in for -c and --control, and yields to them") {
  const Environment environment{"/env.toml", "/env.sock", "/run/default.sock"};
  const auto run = options_of<RunOptions>({"run"}, environment);
  CHECK(run.config == "/env.toml");
  CHECK(run.overrides.control == "/env.sock");
  const auto given = options_of<RunOptions>({"run", "-c", "f", "--control", "none"}, environment);
  CHECK(given.config == "f");
  CHECK(given.overrides.control == "none");
  CHECK(options_of<StatusOptions>({"status"}, environment).control == "/env.sock");
  CHECK(options_of<StatusOptions>({"status", "--control", "/x"}, environment).control == "/x");
}

TEST_CASE("the client commands find the control socket by themselves") {
  CHECK(options_of<StatusOptions>({"status"}).control == "/run/default.sock");
  CHECK_FALSE(options_of<StatusOptions>({"status"}).json);
  CHECK(options_of<StatusOptions>({"status", "--json"}).json);
  CHECK(options_of<ReloadOptions>({"reload"}).control == "/run/default.sock");
  CHECK(options_of<ReadyOptions>({"ready", "--control", "/x"}).control == "/x");
  const std::string nowhere =
      "perch: no control socket to ask; give --control PATH or set PERCH_CONTROL; see perch ready "
      "--help\n";
  CHECK(exit_of({"ready"}, {}).text == nowhere);
  CHECK(exit_of({"ready", "--control", "none"}).text == nowhere);
}

TEST_CASE("status takes a worker, and may be watched at an interval of one's own") {
  const auto worker = options_of<StatusOptions>({"status", "app", "--json"});
  CHECK(worker.worker == "app");
  CHECK(worker.json);
  CHECK_FALSE(worker.watch.has_value());
  CHECK(options_of<StatusOptions>({"status", "reload"}).worker == "reload");
  CHECK(options_of<StatusOptions>({"status", "--watch"}).watch == 1s);
  CHECK(options_of<StatusOptions>({"status", "--watch", "5"}).watch == 5s);
  CHECK(options_of<StatusOptions>({"status", "--watch=250ms"}).watch == 250ms);
  CHECK(options_of<StatusOptions>({"status", "--watch", "0"}).watch == 100ms);
  for (const Names& words :
       {Names{"status", "--watch", "app"}, Names{"status", "app", "--watch"}}) {
    const auto both = options_of<StatusOptions>(words);
    CHECK(both.worker == "app");
    CHECK(both.watch == 1s);
  }
}

TEST_CASE("restart, stop and start take one worker, or all, and say how long they wait") {
  const auto restart = options_of<WorkerOptions>({"restart", "app", "--timeout", "90s"});
  CHECK(restart.request == Request::Restart);
  CHECK(restart.worker == "app");
  CHECK(restart.wait);
  CHECK_FALSE(restart.all);
  CHECK(restart.timeout == 90s);
  const auto stop = options_of<WorkerOptions>({"stop", "--all", "--no-wait"});
  CHECK(stop.request == Request::Stop);
  CHECK(stop.worker == "");
  CHECK(stop.all);
  CHECK_FALSE(stop.wait);
  CHECK_FALSE(stop.timeout.has_value());
  const auto start = options_of<WorkerOptions>({"start", "--control", "/x", "--timeout", "2"});
  CHECK(start.request == Request::Start);
  CHECK(start.control == "/x");
  CHECK(start.timeout == 2s);
}

TEST_CASE("events may be followed, and begin where one says") {
  const auto events = options_of<EventsOptions>({"events", "-f", "--json", "--since", "17"});
  CHECK(events.follow);
  CHECK(events.json);
  CHECK(events.since == 17);
  CHECK(options_of<EventsOptions>({"events"}).since == 0);
}

TEST_CASE("check asks a running perch only for --diff, and --control names that perch then") {
  const Environment environment{"/env.toml", "/env.sock", "/run/default.sock"};
  CHECK(options_of<CheckOptions>({"check"}, environment).control == "");
  const auto diff = options_of<CheckOptions>({"check", "--diff"}, environment);
  CHECK(diff.control == "/env.sock");
  CHECK(diff.config == "/env.toml");
  CHECK(diff.overrides.control == "/env.sock");
  const auto named = options_of<CheckOptions>({"check", "--diff", "--control", "/x", "-c", "f"});
  CHECK(named.control == "/x");
  CHECK(named.config == "f");
  CHECK_FALSE(named.overrides.control.has_value());
}

TEST_CASE("the version is a command and an option") {
  options_of<VersionOptions>({"version"});
  options_of<VersionOptions>({"--version"});
}

TEST_CASE("wrong usage is one line with a hint, on stderr, and exit code 2") {
  struct Wrong {
    Names words;
    std::string text;
  };
  const std::vector<Wrong> wrong{
      {{"bogus"}, "unknown command 'bogus'; see perch --help"},
      {{"statsu"}, "unknown command 'statsu' (did you mean status?); see perch --help"},
      {{"-c", "f"}, "unknown option '-c'; see perch --help"},
      {{"--control", "/x", "status"},
       "'--control' goes after the command: perch status --control; see perch status --help"},
      {{"run", "--bogus"}, "unknown option '--bogus'; see perch run --help"},
      {{"run", "--listn", "/x"},
       "unknown option '--listn' (did you mean --listen?); see perch run --help"},
      {{"run", "app", "--serve"},
       "unexpected argument 'app': the worker's command goes after --; see perch run --help"},
      {{"run", "status"},
       "unexpected argument 'status': the worker's command goes after --; see perch run --help"},
      {{"run", "-c"}, "--config needs a value: FILE; see perch run --help"},
      {{"status", "app", "now"}, "unexpected argument 'now'; see perch status --help"},
      {{"reload", "status"}, "unexpected argument 'status'; see perch reload --help"},
      {{"restart", "app", "--all"}, "give WORKER or --all, not both; see perch restart --help"},
      {{"stop", "--timeout", "soon"},
       "--timeout: \"soon\" is not a duration; write a whole number and ms, s, m or h, such as "
       "\"250ms\"; see perch stop --help"},
      {{"events", "--since", "x"}, "--since: \"x\" is not a whole number; see perch events --help"},
      {{"events", "--folow"},
       "unknown option '--folow' (did you mean --follow?); see perch events --help"},
      {{"ready", "--json"}, "unknown option '--json'; see perch ready --help"},
      {{"status", "--", "x"},
       "only run, check, doctor and keep take a command after --; see perch status --help"},
  };
  for (const auto& [words, text] : wrong) {
    const ExitWithText exit = exit_of(words);
    CHECK(exit.text == "perch: " + text + "\n");
    CHECK(exit.code == ExitCode::Usage);
    CHECK(exit.stream == ExitWithText::Stream::Error);
  }
}

TEST_CASE("help is asked for with exit code 0, and shown to who says nothing with 2") {
  const ExitWithText asked = exit_of({"--help"});
  CHECK(asked.code == ExitCode::Stopped);
  CHECK(asked.stream == ExitWithText::Stream::Out);
  const ExitWithText silent = exit_of({});
  CHECK(silent.code == ExitCode::Usage);
  CHECK(silent.stream == ExitWithText::Stream::Error);
  CHECK(silent.text == asked.text);
}

TEST_CASE("help names every command, every option of it, and every exit code") {
  const std::string help = exit_of({"--help"}).text;
  for (const CommandEntry& known : kCommands) {
    const std::string command(known.name);
    CHECK(help.contains("\n  " + command + " "));
    CHECK(help.contains("\n  perch " + command));
    const ExitWithText of_command = exit_of({command, "--help"});
    CHECK(of_command.code == ExitCode::Stopped);
    CHECK(of_command.text.starts_with("Usage: perch " + command));
  }
  for (const ExitCodeMeaning& known : kExitCodes) {
    const std::string line =
        std::to_string(static_cast<int>(known.code)) + "  " + std::string(known.meaning) + "\n";
    CHECK(help.find(line) != std::string::npos);
  }
  const std::string status = exit_of({"status", "--help"}).text;
  for (const char* option : {"\n  WORKER ", "--watch [SECONDS]", "--json ", "--control PATH"}) {
    CHECK(status.contains(option));
  }
  const std::string run = exit_of({"run", "--help"}).text;
  for (const char* option : {"-c,--config FILE", "--listen [NAME=]PATH", "--handover WAY",
                             "--intercept ", "--policy WHEN", "--control PATH",
                             "--stop-timeout TIME", "--log-format FORMAT", "-- COMMAND ARG..."}) {
    CHECK(run.find(option) != std::string::npos);
  }
}

}  // namespace perch::cli
