// SPDX-License-Identifier: Apache-2.0
// Every kind of change that a reload can meet, one by one on a perch that runs: taken over live
// where it can be, and a restart of its worker, once, where the process itself would differ.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <span>

#include "tests/support/perch_process.h"

namespace perch::test {
namespace {

enum class Touch { Live, Restart };

struct Kind {
  std::string line;  // in the file, and in the running configuration afterwards
  Touch touch = Touch::Live;
};

const Kind kPerch[] = {
    {R"(log_level = "debug")"},       {R"(log_format = "json")"},  {R"(readers = ["user:daemon"])"},
    {R"(operators = ["group:adm"])"}, {R"(http = "127.0.0.1:0")"}, {R"(reload_on_change = true)"},
};
const Kind kListener[] = {
    {R"(mode = "0600")"},     {R"(backlog = 64)"},          {R"(on_exit = "unlink")"},
    {R"(group = "nogroup")"}, {R"(wait_for_owner = "1s")"},
};
const Kind kWorker[] = {
    {R"(required = false)"},
    {R"(stop_signal = "SIGUSR1")"},
    {R"(stop_timeout = "2s")"},
    {R"(forward_signals = [])"},
    {R"(reload_signal = "SIGUSR2")"},
    {R"(capture_format = "json")"},
    {R"(capture_rate = 1000)"},
    {R"(umask = "0077")", Touch::Restart},
    {R"(directory = "/")", Touch::Restart},
    {R"(capture = true)", Touch::Restart},
    {R"(capabilities = ["all"])", Touch::Restart},
    {R"(group = "nogroup")", Touch::Restart},
};
const Kind kReadiness[] = {{R"(timeout = "30s")"}};
const Kind kRestart[] = {
    {R"(policy = "on-failure")"}, {R"(burst = 9)"},
    {R"(delay = "20ms")"},        {R"(factor = 3)"},
    {R"(max_delay = "1s")"},      {R"(jitter = 0.5)"},
    {R"(stable_after = "1s")"},   {R"(attempts = 7)"},
    {R"(on_give_up = "exit")"},
};
const Kind kEnvironment[] = {{R"("COLOUR" = "blue")", Touch::Restart}};
const Kind kRlimits[] = {{R"(core = [0, 0])", Touch::Restart}};

struct Section {
  std::string name;
  std::span<const Kind> kinds;
};
const Section kSections[] = {
    {"perch", kPerch},
    {"listeners.api", kListener},
    {"workers.app", kWorker},
    {"workers.app.readiness", kReadiness},
    {"workers.app.restart", kRestart},
    {"workers.app.environment", kEnvironment},
    {"workers.app.rlimits", kRlimits},
};

class World {
 public:
  World() : perch_({.argv = {perch_binary(), "run", "-c", write("", "")}}) {
    REQUIRE(wait_until([this] { return get("/readyz").status == 200; }));
  }

  void reload(const std::string& section, const std::string& line) {
    write(section, line);
    const HttpAnswer answer = http(control(), "POST", "/v1/reload");
    CAPTURE(answer.body);
    REQUIRE(answer.status == 200);
    REQUIRE(wait_until([this] { return get("/readyz").status == 200; }));
  }
  [[nodiscard]] std::string running() const { return get("/v1/config").body; }
  [[nodiscard]] int starts() const {
    return nlohmann::json::parse(get("/v1/status").body)["workers"]["app"]["starts"];
  }
  [[nodiscard]] Reply served() const { return ask_newer(directory_.path("api.sock"), 0); }

 private:
  [[nodiscard]] HttpAnswer get(std::string_view target) const {
    return http(control(), "GET", target);
  }
  [[nodiscard]] std::string control() const { return directory_.path("control.sock"); }

  // The file with one line more in one of its sections.
  std::string write(const std::string& section, const std::string& line) const {
    std::string text;
    for (const auto& [name, kinds] : kSections) {
      text += fmt::format("[{}]\n{}\n", name, section == name ? line : "");
      if (name == "perch") text += fmt::format("control = \"{}\"\n", control());
      if (name == "listeners.api")
        text += fmt::format("path = \"{}\"\n", directory_.path("api.sock"));
      if (name == "workers.app") {
        text += fmt::format("command = {}\nlisteners = [\"api\"]\n", worker_command("listen-fds"));
      }
    }
    const std::string path = directory_.path("perch.toml");
    write_text(path, text);
    return path;
  }

  TemporaryDirectory directory_;
  Process perch_;
};

// The section of that name in a configuration's text.
std::string section_of(const std::string& config, const std::string& name) {
  const auto start = config.find("[" + name + "]");
  if (start == std::string::npos) return "";
  return config.substr(start, config.find("\n[", start) - start);
}

}  // namespace

TEST_CASE("each kind of change is taken over live, or by one restart, and so is its way back") {
  World world;
  const std::string base = world.running();
  for (const auto& [section, kinds] : kSections) {
    for (const auto& [line, touch] : kinds) {
      CAPTURE(section);
      CAPTURE(line);
      const int restarts = touch == Touch::Restart ? 1 : 0;
      CHECK_FALSE(section_of(base, section).contains(line));
      for (const bool there : {true, false}) {
        const int before = world.starts();
        const Reply first = world.served();
        world.reload(section, there ? line : "");
        CHECK(section_of(world.running(), section).contains(line) == there);
        CHECK(world.starts() == before + restarts);
        CHECK((world.served().pid == first.pid) == (restarts == 0));
      }
      CHECK(world.running() == base);
    }
  }
}

}  // namespace perch::test
