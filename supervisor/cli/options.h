// SPDX-License-Identifier: Apache-2.0
// The command line, parsed into what is to be done. Pure but for its callers' copies of the
// environment: nothing is read, opened or printed here. Values of the configuration (durations,
// ways, paths) are checked by config::load, with the same words as a file's.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "supervisor/cli/goal.h"
#include "supervisor/config/load.h"
#include "supervisor/exit_code.h"

namespace perch::cli {

struct RunOptions {
  std::string config;  // the file; empty: the command line alone
  config::Overrides overrides;
};

// `control` is the path of a running perch's control socket, never empty; of check it is empty
// unless the running perch is to be asked: what would a reload change?
struct CheckOptions {
  std::string config;
  config::Overrides overrides;
  std::string control{};
};

struct StatusOptions {
  std::string control;
  bool json = false;
  std::string worker{};                              // empty: all
  std::optional<std::chrono::milliseconds> watch{};  // again and again, so long after each other
};

struct EventsOptions {
  std::string control;
  bool follow = false;
  bool json = false;
  std::uint64_t since = 0;  // the events after this one
};

struct WorkerOptions {
  std::string control;
  Request request{};
  std::string worker{};  // empty: the only one, or all
  bool all = false;
  bool wait = true;
  std::optional<std::chrono::milliseconds>
      timeout{};  // of the waiting; nothing: as long as it takes
};

struct ReloadOptions {
  std::string control;
};

struct ReadyOptions {
  std::string control;
};

struct DoctorOptions {
  std::vector<std::string> command;
  std::chrono::milliseconds patience{10'000};  // for it to listen
};

struct InstallOptions {
  std::string place;
};

struct KeepOptions {
  std::string socket;
  std::vector<std::string> users;    // names or numbers
  std::vector<std::string> command;  // a perch to be run and restarted; empty: none
};

struct VersionOptions {};

using Command = std::variant<RunOptions, CheckOptions, StatusOptions, EventsOptions, WorkerOptions,
                             ReloadOptions, ReadyOptions, DoctorOptions, InstallOptions,
                             KeepOptions, VersionOptions>;

// Nothing to be done but to say this and end: help, or wrong usage.
struct ExitWithText {
  ExitCode code;
  std::string text;  // whole lines
  enum class Stream { Out, Error } stream;
};

// What the command line falls back on.
struct Environment {
  std::string config;           // PERCH_CONFIG
  std::string control;          // PERCH_CONTROL
  std::string default_control;  // config::default_control() here
};

// Of this process, now.
Environment environment();

std::expected<Command, ExitWithText> parse_options(int argc, const char* const* argv,
                                                   const Environment& environment);

}  // namespace perch::cli
