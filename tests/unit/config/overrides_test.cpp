// SPDX-License-Identifier: Apache-2.0
// The command line, alone and over a file.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "problems.h"

namespace perch::config {
namespace {

using namespace std::chrono_literals;
using test::kBase;
using test::problems_of;
using test::valid;

using Names = std::vector<std::string>;

Overrides listening(const Names& listen, const Names& command = {"/bin/app"}) {
  Overrides overrides;
  overrides.listen = listen;
  overrides.command = command;
  return overrides;
}

const std::string kTwoWorkers = std::string(kBase) + "[workers.b]\ncommand = [\"b\"]\n";

}  // namespace

TEST_CASE("a command alone makes one worker, named by its program, that takes every listener") {
  const Config config = valid("", listening({"/run/a.sock", "b=/run/x.sock"}, {"/bin/app", "-v"}));
  REQUIRE(config.workers.size() == 1);
  const auto& [name, worker] = *config.workers.begin();
  CHECK(name == "app");
  CHECK(worker.command == Names{"/bin/app", "-v"});
  CHECK(worker.listeners == Names{"a", "b"});
  CHECK(config.listeners.at("a").path == "/run/a.sock");
  CHECK(config.listeners.at("b").path == "/run/x.sock");
}

TEST_CASE("names are made of what the command line gives") {
  const auto name_of = [](const std::string& command) {
    return valid("", listening({"/a"}, {command})).workers.begin()->first;
  };
  CHECK(name_of("/usr/bin/app") == "app");
  CHECK(name_of("./my app:1") == "my_app_1");
  CHECK(name_of("/usr/bin/") == "worker");
  const auto listeners_of = [](const Names& listen) {
    return valid("", listening(listen)).workers.at("app").listeners;
  };
  CHECK(listeners_of({"/run/app.sock", "/tmp/app.sock", "/app"}) == Names{"app", "app-2", "app-3"});
  CHECK(listeners_of({"/run/z.sock", "/run/a.b.sock", "/run/.sock", "@x/y.z"}) ==
        Names{"z", "a.b", ".sock", "y"});
  CHECK(listeners_of({"/run/a=b.sock"}) == Names{"a_b"});
}

TEST_CASE("a command over a file replaces the only worker's") {
  const Config config = valid(kBase, listening({}, {"/bin/other", "-x"}));
  CHECK(config.workers.at("app").command == Names{"/bin/other", "-x"});
  CHECK(config.workers.at("app").listeners == Names{"api"});
}

TEST_CASE("a command over a file without workers makes one that takes every listener") {
  const Config config = valid("[listeners.z]\npath = \"/z\"\n[listeners.a]\npath = \"/a\"\n",
                              listening({"/run/b.sock"}));
  CHECK(config.workers.at("app").listeners == Names{"a", "z", "b"});
}

TEST_CASE("a worker of the file may leave its command to the command line") {
  const Config config = valid("[workers.app]\nuser = \"www\"\n", listening({}, {"run-me"}));
  CHECK(config.workers.at("app").command == Names{"run-me"});
  CHECK(config.workers.at("app").user == "www");
}

TEST_CASE("--listen moves a listener of the file, and a new one goes to the only worker") {
  Overrides overrides = listening({"api=/run/moved.sock", "/run/new.sock"}, {});
  const Config config = valid(kBase, overrides);
  CHECK(config.listeners.at("api").path == "/run/moved.sock");
  CHECK(config.listeners.at("new").path == "/run/new.sock");
  CHECK(config.workers.at("app").listeners == Names{"api", "new"});
}

TEST_CASE("the options of the command line win over the file") {
  Overrides overrides;
  overrides.handover = "channel";
  overrides.policy = "never";
  overrides.control = "none";
  overrides.stop_timeout = "3s";
  overrides.log_format = "json";
  const Config config = valid(std::string(kBase) + R"(handover = "stdin"
stop_timeout = "9s"
[workers.app.restart]
policy = "always"
[perch]
control = "/run/x.sock"
log_format = "text"
)",
                              overrides);
  const WorkerConfig& worker = config.workers.at("app");
  CHECK(worker.handover == HandoverWay::Channel);
  CHECK(worker.readiness.by == ReadinessBy::Notify);
  CHECK(worker.restart.policy == RestartWhen::Never);
  CHECK(worker.stop_timeout == 3s);
  CHECK(config.perch.control == "");
  CHECK_FALSE(config.perch.control_is_default);
  CHECK(config.perch.log_format == LogFormat::Json);
}

TEST_CASE("a problem with an option names the option, not the file") {
  Overrides overrides = listening({"api=rel", "x y=/x"}, {""});
  overrides.handover = "stdinn";
  overrides.policy = "maybe";
  overrides.control = "rel.sock";
  overrides.stop_timeout = "3";
  overrides.log_format = "xml";
  CHECK(problems_of(kBase, overrides) ==
        "--control: \"rel.sock\" is not an absolute path; write one, or \"none\"\n"
        "--log-format: unknown value \"xml\"; use auto, json or text\n"
        "--listen api=rel: \"rel\" is a relative path; write an absolute one, or @name for an "
        "abstract socket\n"
        "--listen x y=/x: \"x y\" is not a name; use 1 to 64 of A-Z a-z 0-9 _ . -\n"
        "--handover: unknown value \"stdinn\"; use channel, intercept, listen-fds or stdin\n"
        "--stop-timeout: \"3\" is not a duration; write a whole number and ms, s, m or h, such as "
        "\"250ms\"\n"
        "--policy: unknown value \"maybe\"; use always, on-failure or never\n"
        "command: the program's name is empty; write its path");
}

TEST_CASE("a command line that does not fit together is refused") {
  Overrides overrides = listening({"/a", "/b"});
  overrides.handover = "stdin";
  CHECK(problems_of("", overrides) ==
        "worker app: handover stdin takes exactly one listener, this worker has 2; name one, or "
        "use listen-fds");
  CHECK(problems_of("", listening({"a=/a", "a=/b"})) ==
        "--listen a=/b: \"a\" is given twice; rename one");
  CHECK(problems_of("", listening({"a=/x", "b=/x"})) ==
        "--listen b=/x: \"/x\" is the path of listener \"a\" too; use another");
  CHECK(problems_of("", listening({"=/x"})) ==
        "--listen =/x: \"\" is not a name; use 1 to 64 of A-Z a-z 0-9 _ . -");
  CHECK(problems_of("", listening({"a="})) ==
        "--listen a=: the path is empty; write an absolute one");
  CHECK(problems_of("", {}) ==
        "there is no worker; add [workers.NAME] to a file, or give -- COMMAND");
}

TEST_CASE("what is an only worker's is refused where the file has several") {
  Overrides overrides = listening({}, {"x"});
  overrides.policy = "never";
  CHECK(problems_of(kTwoWorkers, overrides) ==
        "command: the file has 2 workers, and this is for an only one; set it in the file\n"
        "--policy: the file has 2 workers, and this is for an only one; set it in the file");
  CHECK(problems_of(kTwoWorkers, listening({"/x"}, {})) ==
        "--listen /x: no worker takes this listener, its clients would wait for ever; name it in "
        "the listeners of a worker, or remove it");
}

TEST_CASE("a file with something else in a table's place stays the file's problem") {
  CHECK(problems_of("workers = 1\nlisteners = \"x\"\nperch = []\n", listening({"/x"})) ==
        "f:1:11: workers: expected a table, found an integer\n"
        "f:2:13: listeners: expected a table, found a string\n"
        "f:3:9: perch: expected a table, found an array");
}

TEST_CASE("the command line is not expanded") {
  const Config config = valid("", listening({"/x"}, {"app", "$HOME", "~", "*"}));
  CHECK(config.workers.at("app").command == Names{"app", "$HOME", "~", "*"});
}

TEST_CASE("a socket's path has no control characters: it is shown on one line in many places") {
  CHECK(problems_of("", listening({"x=/run/a\nb.sock"}))
            .contains("\"/run/a\\nb.sock\" has a control character; write a path without"));
}

}  // namespace perch::config
