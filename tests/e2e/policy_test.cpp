// SPDX-License-Identifier: Apache-2.0
// What perch does when a worker has ended by itself: restart, wait, give up, or end as it did.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

// perch with the test-worker as "app" and this restart policy.
struct Scene {
  explicit Scene(const std::string& restart, const std::vector<std::string>& arguments = {})
      : perch(directory, app_config(directory, {.arguments = arguments, .restart = restart})) {
    REQUIRE(wait_until([this] { return Client(api()).error() == 0; }));
  }
  [[nodiscard]] std::string api() const { return directory.path("api.sock"); }
  [[nodiscard]] nlohmann::json app() const { return perch.worker(); }
  void end_worker(const std::string& command) const { (void)ask(api(), command); }
  [[nodiscard]] double next_start() const {
    const auto seconds = app()["instances"][0]["next_start_in_seconds"];
    return seconds.is_number() ? seconds.get<double>() : -1;
  }

  TemporaryDirectory directory;
  PerchProcess perch;
};

// A configuration whose only worker runs `command`, a TOML array.
std::string plain_worker(const TemporaryDirectory& directory, const std::string& command,
                         const std::string& more = "") {
  return fmt::format(
      "[listeners.api]\npath = \"{}\"\n[workers.app]\ncommand = {}\n"
      "listeners = [\"api\"]\n{}\n",
      directory.path("api.sock"), command, more);
}

Finished run_with(const std::string& command, const std::string& more = "") {
  const TemporaryDirectory directory;
  PerchProcess perch(directory, plain_worker(directory, command, more));
  const auto ending = perch.process().wait();
  REQUIRE(ending);
  return {.ending = *ending, .out = perch.process().out(), .err = perch.log()};
}

}  // namespace

TEST_CASE("never: perch ends as its worker did") {
  for (const int status : {0, 1, 5, 78, 127, 255}) {
    Scene scene("policy = \"never\"");
    scene.end_worker("exit " + std::to_string(status));
    CHECK(scene.perch.process().wait() == exited(status));
  }
  for (const int signal : {SIGKILL, SIGTERM, SIGPIPE, SIGALRM}) {
    Scene scene("policy = \"never\"");
    scene.end_worker("signal " + std::to_string(signal));
    CHECK(scene.perch.process().wait() == exited(128 + signal));
  }
}

TEST_CASE("never: perch's own failure is 125, no code of a worker") {
  const TemporaryDirectory directory;
  write_text(directory.path("api.sock"), "no socket");
  PerchProcess perch(directory, plain_worker(directory, worker_command("listen-fds"),
                                             "[workers.app.restart]\npolicy = \"never\""));
  CHECK(perch.process().wait() == exited(125));
}

TEST_CASE("on-failure: a failure is restarted, an exit status of 0 ends perch with 0") {
  Scene scene("policy = \"on-failure\"\ndelay = \"0ms\"");
  scene.end_worker("exit 3");
  CHECK(ask_newer(scene.api(), 1).generation == 2);
  scene.end_worker("signal 9");
  CHECK(ask_newer(scene.api(), 2).generation == 3);
  scene.end_worker("exit 0");
  CHECK(scene.perch.process().wait() == exited(0));
  CHECK(scene.perch.log().contains("has ended and is not to be restarted"));
}

TEST_CASE("on-failure: a worker that has ended is at rest while others run") {
  const TemporaryDirectory directory;
  const std::string api = directory.path("api.sock");
  const PerchProcess perch(directory,
                           plain_worker(directory, worker_command("listen-fds"),
                                        "[workers.once]\ncommand = [\"true\"]\n"
                                        "[workers.once.restart]\npolicy = \"on-failure\""));
  CHECK(perch.wait_state("idle", "once"));
  CHECK(perch.worker("once")["desired"] == "stopped");
  CHECK(perch.worker("once")["starts"] == 1);
  CHECK(ask(api, "ping"));
}

TEST_CASE("always: success is restarted as well") {
  const Scene scene("policy = \"always\"\ndelay = \"0ms\"");
  scene.end_worker("exit 0");
  CHECK(ask_newer(scene.api(), 1).generation == 2);
  CHECK(scene.app()["deaths"]["exit"] == 1);
}

TEST_CASE("hold: after so many attempts perch gives up on the worker and keeps its socket") {
  const Scene scene("delay = \"0ms\"\nattempts = 3\non_give_up = \"hold\"",
                    {"--exit-at-start", "3"});
  REQUIRE(scene.perch.wait_state("failed"));
  CHECK(scene.app()["starts"] == 3);
  CHECK(scene.app()["deaths"]["exit"] == 3);
  CHECK(scene.app()["consecutive_failures"] == 3);
  CHECK(scene.perch.request("GET", "/readyz").status == 503);
  CHECK(Client(scene.api()).error() == 0);
  CHECK(scene.perch.log().contains("given up after 3 failures in a row"));
}

TEST_CASE("exit: after so many attempts perch ends with 4") {
  Scene scene("delay = \"0ms\"\nattempts = 2\non_give_up = \"exit\"", {"--exit-at-start", "3"});
  CHECK(scene.perch.process().wait() == exited(4));
}

TEST_CASE("after a burst of failures perch waits, and says for how long") {
  const Scene scene("burst = 2\ndelay = \"500s\"\nmax_delay = \"900s\"\njitter = 0.0",
                    {"--exit-at-start", "3"});
  REQUIRE(scene.perch.wait_state("backoff"));
  CHECK(scene.app()["starts"] == 3);
  CHECK(scene.app()["consecutive_failures"] == 3);
  CHECK(scene.next_start() > 400);
  CHECK(scene.next_start() <= 500);
  CHECK(scene.app()["instances"][0]["pid"].is_null());
  CHECK(scene.app()["desired"] == "running");
  CHECK(Client(scene.api()).error() == 0);
}

TEST_CASE("exit status 78 says that a restart is hopeless: the longest delay at once") {
  const Scene scene("burst = 9\ndelay = \"0ms\"\nmax_delay = \"800s\"\njitter = 0.0",
                    {"--exit-at-start", "78"});
  REQUIRE(scene.perch.wait_state("backoff"));
  CHECK(scene.app()["starts"] == 1);
  CHECK(scene.next_start() > 700);
}

TEST_CASE("a stop during the wait ends perch at once") {
  Scene scene("burst = 0\ndelay = \"800s\"\nmax_delay = \"800s\"", {"--exit-at-start", "3"});
  REQUIRE(scene.perch.wait_state("backoff"));
  scene.perch.process().signal(SIGTERM);
  CHECK(scene.perch.process().wait() == exited(0));
}

TEST_CASE("a command that cannot be executed at the first start ends perch as a shell would") {
  const Finished missing = run_with("[\"/nonexistent/app\"]");
  CHECK(missing.ending == exited(127));
  CHECK(missing.err.contains("exec /nonexistent/app: No such file or directory"));
  CHECK(run_with("[\"no-such-program-in-path\"]").ending == exited(127));
  const Finished refused = run_with("[\"/etc/passwd\"]");
  CHECK(refused.ending == exited(126));
  CHECK(refused.err.contains("exec /etc/passwd: Permission denied"));
  const Finished nowhere = run_with("[\"true\"]", "directory = \"/nonexistent\"");
  CHECK(nowhere.ending == exited(126));
  CHECK(nowhere.err.contains("enter directory /nonexistent: No such file or directory"));
}

TEST_CASE("a command that cannot be executed later is waited for") {
  const TemporaryDirectory directory;
  const std::string api = directory.path("api.sock");
  const std::string program = directory.path("app");
  const std::string worker = from_build("PERCH_TEST_WORKER");
  fs::copy_file(worker, program);
  const PerchProcess perch(directory, plain_worker(directory, fmt::format("[\"{}\"]", program),
                                                   "[workers.app.restart]\nmax_delay = \"200ms\""));
  const Reply before = ask_newer(api, 0);
  fs::remove(program);
  ::kill(before.pid, SIGKILL);
  REQUIRE(wait_until([&] { return perch.worker()["deaths"]["exec-failed"] >= 2; }));
  CHECK(perch.worker()["last_deaths"][0]["cause"] == "exec-failed");
  CHECK(perch.worker()["last_deaths"][0]["detail"].get<std::string>().contains("exec " + program));

  fs::copy_file(worker, directory.path("new"));
  fs::rename(directory.path("new"), program);
  CHECK(ask_newer(api, before.generation).text == "pong");
}

TEST_CASE("an end that begins amid the start of several workers starts no more of them") {
  const TemporaryDirectory directory;
  PerchProcess perch(directory,
                     "[workers.a]\ncommand = [\"/no/such/program\"]\n"
                     "[workers.a.restart]\nattempts = 1\non_give_up = \"exit\"\n"
                     "[workers.b]\ncommand = [\"/bin/sleep\", \"1000\"]\n");
  CHECK(perch.process().wait() == exited(4));
  CHECK_FALSE(perch.log().contains("worker b: generation 1 is pid"));
}

}  // namespace perch::test
