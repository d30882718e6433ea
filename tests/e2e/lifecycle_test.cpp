// SPDX-License-Identifier: Apache-2.0
// A generation from its start to its end: readiness, what a worker says of itself, and the stop.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"

namespace perch::test {
namespace {

constexpr std::string_view kNotify = "[workers.app.readiness]\nby = \"notify\"\n";

// perch with the test-worker as "app".
struct Scene {
  explicit Scene(const AppConfig& config = {}) : perch(directory, app_config(directory, config)) {
    REQUIRE(wait_until([this] { return Client(api()).error() == 0; }));
  }
  [[nodiscard]] std::string api() const { return directory.path("api.sock"); }
  [[nodiscard]] nlohmann::json app() const { return perch.worker(); }
  [[nodiscard]] bool wait_deaths(const std::string& cause, int count) const {
    return wait_until(
        [&] { return app().value("deaths", nlohmann::json::object()).value(cause, 0) >= count; });
  }
  // Ends perch and returns what it said about it.
  std::string stop() {
    perch.process().signal(SIGTERM);
    CHECK(perch.process().wait() == exited(0));
    return perch.log();
  }

  TemporaryDirectory directory;
  PerchProcess perch;
};

// Says it in the name of the worker that listens at `path`: perch hears its own user as well.
void say_for(const std::string& path, const std::string& text) {
  const auto notify = ask(path, "env NOTIFY_SOCKET");
  REQUIRE(notify);
  const auto socket = unix_connect(notify->text, SOCK_DGRAM, Blocking::Yes);
  REQUIRE(socket);
  REQUIRE(send_datagram(socket->get(), text));
}

pid_t leave_daemon(const std::string& path) {
  const auto reply = ask(path, "daemons 1");
  REQUIRE(reply);
  return std::stoi(reply->text);
}

std::string worker_at(const std::string& name, const std::string& path, const std::string& more,
                      const std::vector<std::string>& arguments = {}) {
  return fmt::format(
      "[listeners.{0}]\npath = \"{1}\"\n[workers.{0}]\ncommand = {2}\n"
      "listeners = [\"{0}\"]\n{3}\n[workers.{0}.restart]\ndelay = \"0ms\"\n",
      name, path, worker_command("listen-fds", arguments), more);
}

}  // namespace

TEST_CASE("by notify a worker is ready when it says so and not before") {
  const Scene scene({.arguments = {"--ready", "none"}, .worker = std::string(kNotify)});
  (void)ask_newer(scene.api(), 0);
  CHECK(scene.app()["state"] == "starting");
  CHECK(scene.perch.request("GET", "/readyz").status == 503);
  say_for(scene.api(), "STATUS=warming up");
  CHECK(wait_until([&] { return scene.app()["instances"][0]["status_text"] == "warming up"; }));
  CHECK(scene.app()["state"] == "starting");
  say_for(scene.api(), "READY=1\nSTATUS=serving");
  CHECK(scene.perch.wait_ready());
  CHECK(scene.app()["state"] == "ready");
  CHECK(scene.app()["ready"] == true);
  CHECK(scene.app()["instances"][0]["status_text"] == "serving");
}

TEST_CASE("a worker that is never ready gets its stop signal and is replaced") {
  const Scene scene(
      {.arguments = {"--ready", "none"}, .worker = std::string(kNotify) + "timeout = \"200ms\""});
  REQUIRE(scene.wait_deaths("never-ready", 2));
  const auto app = scene.app();
  CHECK(app["last_deaths"][0]["cause"] == "never-ready");
  CHECK(app["last_deaths"][0]["signal"] == SIGTERM);
  CHECK(app["deaths"]["signal"] == 0);
  CHECK(app["starts"] >= 3);
}

TEST_CASE("a worker that is never ready and ignores its stop signal is killed") {
  const Scene scene(
      {.arguments = {"--ready", "none", "--ignore-term"},
       .worker = "stop_timeout = \"200ms\"\n" + std::string(kNotify) + "timeout = \"200ms\""});
  REQUIRE(scene.wait_deaths("never-ready", 1));
  CHECK(scene.app()["last_deaths"][0]["signal"] == SIGKILL);
}

TEST_CASE("a worker that asks for more time gets it") {
  const TemporaryDirectory directory;
  const std::string slow = directory.path("slow");
  const std::string notify = "[workers.{}.readiness]\nby = \"notify\"\ntimeout = \"{}\"";
  // The second worker's deadline is the clock: it comes after the one that the first put off.
  const PerchProcess perch(
      directory,
      worker_at("slow", slow, fmt::format(fmt::runtime(notify), "slow", "5s"),
                {"--ready", "none"}) +
          worker_at("witness", directory.path("w"),
                    fmt::format(fmt::runtime(notify), "witness", "6s"), {"--ready", "none"}));
  REQUIRE(wait_until([&] { return ask(slow, "ping").has_value(); }));
  say_for(slow, "EXTEND_TIMEOUT_USEC=600000000");
  REQUIRE(wait_until([&] { return perch.worker("witness").value("starts", 0) >= 2; }));
  CHECK(perch.worker("slow")["state"] == "starting");
  CHECK(perch.worker("slow")["starts"] == 1);
}

TEST_CASE("ERRNO= is part of the death's evidence") {
  const Scene scene;
  REQUIRE(scene.perch.wait_ready());
  say_for(scene.api(), "ERRNO=28");
  CHECK_FALSE(ask(scene.api(), "exit 3"));
  REQUIRE(scene.wait_deaths("exit", 1));
  const std::string detail = scene.app()["last_deaths"][0]["detail"];
  CHECK(detail.contains("exit status 3"));
  CHECK(detail.contains("No space left on device"));
}

TEST_CASE("a worker that names another main process and ends has not died; then that one does") {
  const Scene scene;
  REQUIRE(scene.perch.wait_ready());
  const pid_t successor = leave_daemon(scene.api());
  say_for(scene.api(), "MAINPID=" + std::to_string(successor));
  CHECK_FALSE(ask(scene.api(), "exit 0"));
  REQUIRE(wait_until([&] { return scene.app()["instances"][0]["pid"] == successor; }));
  CHECK(scene.app()["state"] == "ready");
  CHECK(scene.app()["starts"] == 1);
  CHECK(scene.app()["deaths"]["exit"] == 0);
  CHECK(scene.app()["last_deaths"].empty());

  ::kill(successor, SIGKILL);
  CHECK(ask_newer(scene.api(), 1).generation == 2);
  CHECK(scene.app()["deaths"]["signal"] == 1);
  CHECK(scene.app()["last_deaths"][0]["generation"] == 1);
}

TEST_CASE("a named main process gets the stop signal") {
  Scene scene;
  REQUIRE(scene.perch.wait_ready());
  const pid_t successor = leave_daemon(scene.api());
  say_for(scene.api(), "MAINPID=" + std::to_string(successor));
  CHECK_FALSE(ask(scene.api(), "exit 0"));
  REQUIRE(wait_until([&] { return scene.app()["instances"][0]["pid"] == successor; }));
  CHECK(scene.stop().contains("generation 1 ended: requested: signal 15"));
}

TEST_CASE("beside other workers a worker can name its own daemon, and nobody else's process") {
  const TemporaryDirectory directory;
  const std::string one = directory.path("one");
  const std::string two = directory.path("two");
  const PerchProcess perch(directory, worker_at("one", one, "") + worker_at("two", two, ""));
  REQUIRE(perch.wait_ready());
  const pid_t others = leave_daemon(two);
  for (const pid_t pid : {others, ask(two, "ping")->pid, ::getpid(), perch.pid(), 1}) {
    say_for(one, "MAINPID=" + std::to_string(pid));
  }
  const pid_t own = leave_daemon(one);
  say_for(one, "MAINPID=" + std::to_string(own));
  CHECK_FALSE(ask(one, "exit 0"));
  REQUIRE(wait_until([&] { return perch.worker("one")["instances"][0]["pid"] == own; }));
  CHECK(perch.log().contains(fmt::format("MAINPID={} is none of its processes", others)));
  CHECK(perch.log().contains(fmt::format("MAINPID={} is none of its processes", ::getpid())));
  CHECK(perch.worker("one")["starts"] == 1);
  CHECK(alive(others));
}

TEST_CASE("a worker on the channel is asked to drain and ends by itself") {
  Scene scene({.handover = "channel"});
  REQUIRE(scene.perch.wait_ready());
  const std::string log = scene.stop();
  CHECK(log.contains("ready -> draining"));
  CHECK(log.contains("generation 1 ended: requested: exit status 0"));
}

TEST_CASE("a worker that does not drain is signalled, then killed, and its tree with it") {
  Scene scene({.handover = "channel", .worker = "stop_timeout = \"500ms\""});
  REQUIRE(scene.perch.wait_ready());
  const pid_t daemon = leave_daemon(scene.api());
  ::kill(ask_newer(scene.api(), 0).pid, SIGSTOP);
  const std::string log = scene.stop();
  CHECK(log.contains("ready -> draining"));
  CHECK(log.contains("draining -> stopping"));
  CHECK(log.contains("generation 1 ended: requested: signal 9"));
  CHECK_FALSE(alive(daemon));
}

TEST_CASE("a worker that cannot drain gets its stop signal") {
  Scene scene({.worker = "stop_signal = \"SIGUSR2\"\nforward_signals = []"});
  REQUIRE(scene.perch.wait_ready());
  REQUIRE(ask(scene.api(), "signals")->text == "0 0 0");
  // The test-worker counts SIGUSR2 and stays; a second request to perch does not wait for it.
  scene.perch.process().signal(SIGTERM);
  REQUIRE(wait_until([&] { return ask(scene.api(), "signals")->text == "0 1 0"; }));
  CHECK(scene.stop().contains("generation 1 ended: requested: signal 9"));
}

TEST_CASE("a worker that ignores its stop signal is killed at stop_timeout, and its tree with it") {
  Scene scene({.arguments = {"--ignore-term"}, .worker = "stop_timeout = \"300ms\""});
  REQUIRE(scene.perch.wait_ready());
  const pid_t daemon = leave_daemon(scene.api());
  CHECK(scene.stop().contains("generation 1 ended: requested: signal 9"));
  CHECK_FALSE(alive(daemon));
}

}  // namespace perch::test
