// SPDX-License-Identifier: Apache-2.0
#include "tests/support/perch_process.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/support/requirement.h"
#include "tests/support/wait_until.h"

namespace perch::test {
namespace {

constexpr std::string_view kPerchTable = "[perch]\ncontrol = \"{}\"\nlog_format = \"text\"\n\n{}";

Command perch_command(const std::string& config_path, const Surroundings& surroundings) {
  std::vector<std::string> argv = surroundings.prefix;
  argv.insert(argv.end(), {perch_binary(), "run", "-c", config_path});
  argv.insert(argv.end(), surroundings.arguments.begin(), surroundings.arguments.end());
  return {.argv = std::move(argv),
          .environment = surroundings.environment,
          .fds = surroundings.fds,
          .cgroups = surroundings.cgroups};
}

std::string write_config_file(const TemporaryDirectory& directory, std::string_view config) {
  const std::string path = directory.path("perch.toml");
  write_text(path, fmt::format(kPerchTable, directory.path("perch.sock"), config));
  return path;
}

}  // namespace

PerchProcess::PerchProcess(const TemporaryDirectory& directory, std::string_view config,
                           const Surroundings& surroundings)
    : config_path_(write_config_file(directory, config)),
      control_(directory.path("perch.sock")),
      process_(perch_command(config_path_, surroundings)) {}

void PerchProcess::write_config(std::string_view config) const {
  write_text(config_path_, fmt::format(kPerchTable, control_, config));
}

nlohmann::json PerchProcess::status() const {
  const HttpAnswer answer = request("GET", "/v1/status");
  if (answer.status != 200) return nlohmann::json::object();
  return nlohmann::json::parse(answer.body);
}

nlohmann::json PerchProcess::worker(const std::string& name) const {
  return status().value("workers", nlohmann::json::object()).value(name, nlohmann::json::object());
}

nlohmann::json PerchProcess::death_of(std::uint64_t generation, const std::string& name) const {
  nlohmann::json deaths;
  REQUIRE(wait_until([&] {
    deaths = worker(name)["last_deaths"];
    return !deaths.empty() && deaths[0]["generation"] == generation;
  }));
  return deaths[0];
}

bool PerchProcess::wait_ready() const {
  return wait_until([this] { return request("GET", "/readyz").status == 200; });
}

bool PerchProcess::wait_state(const std::string& state, const std::string& name) const {
  return wait_until([&] { return worker(name).value("state", "") == state; });
}

std::string perch_binary() { return from_build("PERCH_BINARY"); }

Finished run_perch(const std::vector<std::string>& arguments) {
  Command command{.argv = {perch_binary()}};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return run(command);
}

std::string worker_command(const std::string& handover, const std::vector<std::string>& arguments) {
  std::string text =
      fmt::format(R"(["{}", "--by", "{}")", from_build("PERCH_TEST_WORKER"), handover);
  for (const std::string& argument : arguments) text += fmt::format(R"(, "{}")", argument);
  return text + "]";
}

std::string app_config(const TemporaryDirectory& directory, const AppConfig& wanted) {
  constexpr std::string_view kText = R"([listeners.api]
path = "{}"
{}
[workers.app]
command = {}
listeners = ["api"]
handover = "{}"
{}
[workers.app.restart]
{}
)";
  return fmt::format(kText, directory.path("api.sock"), wanted.listener,
                     worker_command(wanted.handover, wanted.arguments), wanted.handover,
                     wanted.worker, wanted.restart);
}

}  // namespace perch::test
