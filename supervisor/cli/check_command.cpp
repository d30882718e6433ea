// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/check_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <functional>

#include "supervisor/cli/ask_perch.h"
#include "supervisor/cli/json_fields.h"
#include "supervisor/cli/surprises.h"
#include "supervisor/config/changes.h"
#include "supervisor/config/load.h"
#include "supervisor/config/render.h"

namespace perch::cli {
namespace {

using Fetched = std::expected<std::string, CheckAnswer>;

std::unexpected<CheckAnswer> give_up(ExitCode code, const std::string& line) {
  return std::unexpected(CheckAnswer{code, "", fmt::format("perch: {}\n", line)});
}

Fetched fetch(const CheckOptions& options, const std::string& target) {
  auto response = control::request(options.control, "GET", target, kAnswerTime);
  if (!response) {
    return give_up(ExitCode::Unreachable, unreachable(options.control, response.error()));
  }
  if (response->status == 200) return std::move(response->body);
  return give_up(ExitCode::SystemRefused, "check --diff: " + error_of(*response));
}

std::expected<config::Config, CheckAnswer> running_config(const CheckOptions& options) {
  const auto text = fetch(options, "/v1/config");
  if (!text) return std::unexpected(text.error());
  auto config = config::parse(*text, "running configuration", {});
  if (config) return std::move(*config);
  return give_up(ExitCode::Unreachable, "check --diff: is the running perch of another version? " +
                                            config.error().front().text);
}

// Where nobody says: the running perch's own.
Fetched file_of(const CheckOptions& options) {
  const bool command_line = !options.overrides.command.empty();
  if (!options.config.empty() || command_line) return options.config;
  const auto text = fetch(options, "/v1/status");
  if (!text) return text;
  const auto status = nlohmann::json::parse(*text, nullptr, false);
  const bool known = status.is_object() && status.contains("perch");
  std::string file = known ? text_at(status["perch"], "config") : "";
  if (!file.empty()) return file;
  return give_up(
      ExitCode::Usage,
      "check --diff: the running perch has no configuration file; name one with -c FILE");
}

CheckAnswer answer_for(const CheckOptions& options,
                       const std::function<std::string(const config::Config&)>& tell) {
  std::string error;
  const auto config = config::load(options.config, options.overrides);
  if (!config) {
    for (const config::Problem& problem : config.error()) {
      error += fmt::format("perch: {}\n", problem.text);
    }
    return {ExitCode::Usage, "", std::move(error)};
  }
  for (const std::string& surprise : surprises(*config)) {
    error += fmt::format("perch: warning: {}\n", surprise);
  }
  return {ExitCode::Stopped, tell(*config), std::move(error)};
}

std::string changes_text(const config::Config& running, const config::Config& wanted) {
  std::string text;
  for (const std::string& line : config::describe(config::diff(running, wanted), running, wanted)) {
    text += line + "\n";
  }
  return text.empty() ? "nothing would change\n" : text;
}

CheckAnswer check_diff(CheckOptions options) {
  const auto running = running_config(options);
  if (!running) return running.error();
  auto file = file_of(options);
  if (!file) return file.error();
  options.config = std::move(*file);
  return answer_for(options, [&](const auto& wanted) { return changes_text(*running, wanted); });
}

}  // namespace

CheckAnswer check(const CheckOptions& options) {
  return options.control.empty() ? answer_for(options, config::to_toml) : check_diff(options);
}

int check_command(const CheckOptions& options) {
  const CheckAnswer answer = check(options);
  fmt::print(stdout, "{}", answer.out);
  fmt::print(stderr, "{}", answer.error);
  return static_cast<int>(answer.code);
}

}  // namespace perch::cli
