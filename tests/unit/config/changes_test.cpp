// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/changes.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "problems.h"

namespace perch::config {
namespace {

using Lines = std::vector<std::string>;

Lines described(const std::string& running, const std::string& wanted) {
  const Config before = test::valid(running);
  const Config after = test::valid(wanted);
  return describe(diff(before, after), before, after);
}

// A change of kBase by what is added below its worker.
Lines after_adding(const std::string& more, const std::string& to = "") {
  return described(std::string(test::kBase) + to, std::string(test::kBase) + more);
}

}  // namespace

TEST_CASE("what is the same is not mentioned") { CHECK(after_adding("").empty()); }

TEST_CASE("a configuration that came back as a file is the same, wherever its words came from") {
  const Config started = test::valid(test::kBase);
  const Config fetched = test::valid(to_toml(started));
  CHECK(describe(diff(fetched, started), fetched, started).empty());
}

TEST_CASE("a policy changes live, and each key is shown with both values") {
  CHECK(after_adding("stop_timeout = \"3s\"\n[workers.app.restart]\nattempts = 5\n") ==
        Lines{"worker app: would change live", "  stop_timeout: \"25s\" -> \"3s\"",
              "  restart.attempts: 0 -> 5"});
}

TEST_CASE("what the process is made of means a restart") {
  CHECK(after_adding("umask = \"0027\"\n") ==
        Lines{"worker app: would be restarted", "  umask: unset -> \"0027\""});
  CHECK(after_adding("[workers.app.rlimits]\ncore = 0\n") ==
        Lines{"worker app: would be restarted", "  rlimits.core: unset -> [0, 0]"});
}

TEST_CASE("the values of environment variables are never shown") {
  CHECK(after_adding("environment = {NEW = \"secret\", KEPT = \"same\", OTHER = \"secret2\"}\n",
                     "environment = {OLD = \"secret3\", KEPT = \"same\", OTHER = \"secret4\"}\n") ==
        Lines{"worker app: would be restarted", "  environment.\"OLD\": removed",
              "  environment.\"OTHER\": changed", "  environment.\"NEW\": added"});
}

TEST_CASE("what comes and what goes is told by name and place") {
  const std::string more =
      "[listeners.new]\npath = \"/run/new.sock\"\n[workers.new]\ncommand = [\"x\"]\nlisteners = "
      "[\"new\"]\n";
  CHECK(after_adding(more) ==
        Lines{"listener new: would be claimed at /run/new.sock", "worker new: would be started"});
  CHECK(after_adding("", more) == Lines{"listener new: would be retired from /run/new.sock",
                                        "worker new: would be stopped and removed"});
}

TEST_CASE("a socket that only gets another name is neither claimed nor lost") {
  std::string renamed(test::kBase);
  renamed.replace(renamed.find("listeners.api"), 13, "listeners.web");
  renamed.replace(renamed.find("[\"api\"]"), 7, "[\"web\"]");
  CHECK(described(std::string(test::kBase), renamed) ==
        Lines{"listener web: would be the new name of listener api",
              "worker app: would be restarted", "  listeners: [\"api\"] -> [\"web\"]"});
}

TEST_CASE("a listener at another path is told with the workers that have it") {
  std::string moved(test::kBase);
  moved.replace(moved.find("api.sock"), 8, "new.sock");
  const std::string listener = "  path: \"/run/app/api.sock\" -> \"/run/app/new.sock\"";
  CHECK(described(std::string(test::kBase), moved) ==
        Lines{"listener api: would be claimed at its new path, the old one retired", listener,
              "worker app: would be restarted", "  its listener api has another path"});
  const std::string channel = "handover = \"channel\"\n";
  CHECK(described(std::string(test::kBase) + channel, moved + channel) ==
        Lines{"listener api: would be claimed at its new path, the old one retired", listener,
              "worker app: would change live: its listeners are handed over as it runs",
              "  its listener api has another path"});
}

TEST_CASE("a mode that comes or goes is told with the intercepting worker that has the listener") {
  const std::string base(test::kBase);
  std::string with_mode = base;
  with_mode.insert(with_mode.find("[workers"), "mode = \"0600\"\n");
  const std::string intercept = "handover = \"intercept\"\n";
  CHECK(described(base + intercept, with_mode + intercept) ==
        Lines{"listener api: would change live", "  mode: unset -> \"0600\"",
              "worker app: would be restarted", "  its listener api has a mode of its own"});
  CHECK(described(with_mode + intercept, base + intercept).back() ==
        "  its listener api has no mode of its own");
  CHECK(described(base, with_mode).size() == 2);
}

TEST_CASE("perch's own keys are told as well") {
  CHECK(after_adding("[perch]\nlog_level = \"debug\"\n") ==
        Lines{"perch: would change live", "  log_level: \"info\" -> \"debug\""});
}

}  // namespace perch::config
