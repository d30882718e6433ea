// SPDX-License-Identifier: Apache-2.0
// From text and command line to a valid Config. The only user of toml11, and the only place where
// exceptions are caught: none leaves. A file is never half taken: the answer is a whole Config or
// the list of everything that is wrong with it.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "supervisor/config/schema.h"

namespace perch::config {

// One line for people: "perch.toml:12:3: workers.app.handover: unknown value 'fd'; use channel,
// intercept, listen-fds or stdin". Line and column are left out for what came from the command
// line.
struct Problem {
  std::string text;
};

// What `perch run` and `perch check` were given beside the file. Applied over the file's values.
struct Overrides {
  std::vector<std::string> listen;   // "[NAME=]PATH"
  std::vector<std::string> command;  // the only worker's command
  std::optional<std::string> handover;
  std::optional<std::string> policy;
  std::optional<std::string> control;
  std::optional<std::string> keeper;
  std::optional<std::string> stop_timeout;
  std::optional<std::string> log_format;
};

// What `file` says, as load() reads it: a regular file of bounded size; never waits.
Result<std::string> read_source(const std::string& file);

template <class T>
using Loaded = std::expected<T, std::vector<Problem>>;

// `file` empty: the command line alone. Reads the file anew on every call.
Loaded<Config> load(const std::string& file, const Overrides& overrides);
// The same from text; `name` stands for the file in problems.
Loaded<Config> parse(std::string_view text, const std::string& name, const Overrides& overrides);

}  // namespace perch::config
