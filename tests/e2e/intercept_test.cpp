// SPDX-License-Identifier: Apache-2.0
// Daemons that bind their socket themselves, by hand-over intercept: they notice nothing, and no
// client does.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>

#include "common/posix/file.h"
#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

constexpr const char* kHttpRequest = "GET / HTTP/1.0\r\n\r\n";

std::string fixture(const std::string& name) {
  return from_build("PERCH_SOURCE") + "/tests/fixtures/" + name;
}

bool may_intercept() {
  return have(is_root() && is_installed("python3"), "needs root and python3");
}

struct Wanted {
  std::string command{};   // TOML; empty: the fixture at api.sock
  std::string options{};   // of the fixture, each after a comma: ", \"--probe\""
  std::string listener{};  // more lines for [listeners.api]
  std::string worker{};    // more lines for [workers.app]
};

std::string intercepting(const TemporaryDirectory& directory, const Wanted& wanted = {}) {
  const std::string path = directory.path("api.sock");
  const std::string fixture_command =
      fmt::format(R"(["{}", "{}"{}])", fixture("unmodified_daemon.py"), path, wanted.options);
  return fmt::format(R"([listeners.api]
path = "{}"
{}
[workers.app]
command = {}
listeners = ["api"]
handover = "intercept"
directory = "{}"
{}
[workers.app.restart]
delay = "0ms"
burst = 1000
)",
                     path, wanted.listener,
                     wanted.command.empty() ? fixture_command : wanted.command, directory.path(),
                     wanted.worker);
}

// One perch with an intercepted daemon at api.sock.
struct Scene {
  explicit Scene(const Wanted& wanted = {}) : perch(directory, intercepting(directory, wanted)) {}
  TemporaryDirectory directory;
  std::string path = directory.path("api.sock");
  PerchProcess perch;

  [[nodiscard]] pid_t pid() const { return perch.worker()["instances"][0]["pid"].get<pid_t>(); }
  [[nodiscard]] int number(const char* of, const char* key) const {
    const auto found = perch.worker()[of][key];
    return found.is_number() ? found.get<int>() : 0;
  }
  [[nodiscard]] int count(const char* call) const { return number("intercept", call); }
  [[nodiscard]] int deaths(const char* cause) const { return number("deaths", cause); }
  [[nodiscard]] bool wait_starts(int starts) const {
    return wait_until([&] { return perch.worker()["starts"] == starts; });
  }
  [[nodiscard]] mode_t mode() const {
    struct stat found{};
    ::stat(path.c_str(), &found);
    return found.st_mode & 07777U;
  }
  // Of the generation that serves: "PID RELOADS".
  [[nodiscard]] std::string reply() const {
    Client client(path);
    return client.send("?\n") ? client.line().value_or("") : "";
  }
};

// Its first process is killed again and again; whatever it forked has to go with it.
void kill_under_clients(const Wanted& wanted, const std::string& request) {
  constexpr int kKills = 20;
  const Scene scene(wanted);
  REQUIRE(scene.perch.wait_ready());
  ClientStorm storm({.path = scene.path, .request = request});
  const auto wait_served = [&] {
    const auto served = storm.served();
    return wait_until([&] { return storm.served() > served + 20; });
  };
  for (int i = 0; i < kKills; ++i) {
    REQUIRE(wait_served());
    ::kill(scene.pid(), SIGKILL);
    REQUIRE(scene.wait_starts(i + 2));
  }
  REQUIRE(wait_served());
  const StormCounts counts = storm.stop();
  CHECK(counts.refused == 0);
  CHECK(counts.missing == 0);
  CHECK(counts.other == 0);
  CHECK(counts.inodes.size() == 1);
  CHECK(scene.perch.worker()["deaths"]["signal"] == kKills);
  CHECK(scene.count("bind") == kKills + 1);
  CHECK(scene.count("unreadable") == 0);
}

// The command, and an application of three lines.
std::string gunicorn(const TemporaryDirectory& application, const std::string& socket) {
  write_text(application.path("hello.py"),
             "def app(environ, start_response):\n"
             "    start_response('200 OK', [('Content-Length', '5')])\n"
             "    return [b'hello']\n");
  return fmt::format(R"(["/bin/sh", "-c",
"exec gunicorn --workers 2 --log-level warning --chdir {} --bind unix:$PWD/{} hello:app"])",
                     application.path(), socket);
}

// A port that nobody has right now.
std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);  // NOLINT: the sockets API's cast
  ::bind(socket.get(), generic, size);
  ::getsockname(socket.get(), generic, &size);
  return ntohs(address.sin_port);
}

UniqueFd tcp_client(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);  // NOLINT: as above
  if (::connect(socket.get(), generic, sizeof address) != 0) socket.reset();
  return socket;
}

}  // namespace

TEST_CASE("a daemon in Python that deletes and binds is killed 20 times and nobody is refused") {
  if (!may_intercept()) return;
  kill_under_clients({}, "ping\n");
}

TEST_CASE("an unmodified gunicorn is killed 20 times and nobody is refused") {
  if (!may_intercept() || !have(is_installed("gunicorn"), "needs gunicorn")) return;
  const TemporaryDirectory application;
  kill_under_clients({.command = gunicorn(application, "api.sock")}, kHttpRequest);
}

TEST_CASE("an unmodified nginx is killed 20 times and nobody is refused") {
  if (!may_intercept() || !have(is_installed("nginx"), "needs nginx")) return;
  const TemporaryDirectory place;
  write_text(place.path("nginx.conf"), R"(daemon off;
user root;
worker_processes 2;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 128; }
http {
  access_log off;
  server {
    listen unix:api.sock;
    location / { return 200 hello; }
  }
}
)");
  kill_under_clients({.command = fmt::format(R"(["/bin/sh", "-c",
"exec nginx -c {}/nginx.conf -p $PWD"])",
                                             place.path()),
                      .worker = "capabilities = [\"all\"]"},
                     kHttpRequest);
}

TEST_CASE("a stop is graceful: the daemon shuts down and deletes its socket, and neither happens") {
  if (!may_intercept()) return;
  Scene scene;
  REQUIRE(scene.perch.wait_ready());
  REQUIRE_FALSE(scene.reply().empty());  // bound is not all that a daemon does before it serves
  const auto inode = scene.perch.status()["listeners"]["api"]["inode"];
  REQUIRE(scene.perch.request("POST", "/v1/workers/app/stop").status == 202);
  REQUIRE(scene.perch.wait_state("idle"));
  CHECK(scene.perch.worker()["last_deaths"][0]["detail"].get<std::string>().contains("status 0"));
  CHECK(scene.count("shutdown") == 1);
  CHECK(scene.count("unlink") == 2);
  Client waiting(scene.path);
  REQUIRE(waiting.error() == 0);
  REQUIRE(waiting.send("?\n"));
  REQUIRE(scene.perch.request("POST", "/v1/workers/app/start").status == 202);
  CHECK(waiting.line().has_value());
  CHECK(scene.perch.status()["listeners"]["api"]["inode"] == inode);
  scene.perch.process().signal(SIGTERM);
  CHECK(scene.perch.process().wait() == exited(0));
}

TEST_CASE("a reload reaches the daemon by its signal, and it goes on") {
  if (!may_intercept()) return;
  const Scene scene({.worker = "reload_signal = \"SIGHUP\""});
  REQUIRE(scene.perch.wait_ready());
  const pid_t pid = scene.pid();
  REQUIRE(scene.reply() == fmt::format("{} 0", pid));
  REQUIRE(scene.perch.request("POST", "/v1/reload").status == 200);
  CHECK(wait_until([&] { return scene.reply() == fmt::format("{} 1", pid); }));
}

TEST_CASE("perch run --intercept is all that a command needs") {
  if (!may_intercept()) return;
  const TemporaryDirectory directory;
  const std::string path = directory.path("api.sock");
  Process perch({.argv = {perch_binary(), "run", "--control", "none", "--intercept", "--listen",
                          path, "--", fixture("unmodified_daemon.py"), path}});
  CHECK(wait_until([&] {
    Client client(path);
    return client.send("?\n") && client.line().has_value();
  }));
  perch.signal(SIGTERM);
  CHECK(perch.wait() == exited(0));
}

TEST_CASE("a worker is ready when it has bound every listener, and not before") {
  if (!may_intercept()) return;
  const TemporaryDirectory directory;
  const std::string other = directory.path("other.sock");
  std::string config =
      intercepting(directory, {.options = fmt::format(R"(, "{}", "--bind-on-hup")", other)});
  config.replace(config.find(R"(["api"])"), 7, R"(["api", "other"])");
  config += fmt::format("[listeners.other]\npath = \"{}\"\n", other);
  const PerchProcess perch(directory, config);
  REQUIRE(wait_until([&] { return perch.worker()["intercept"]["bind"] == 1; }));
  CHECK(perch.worker()["state"] == "starting");
  ::kill(perch.worker()["instances"][0]["pid"].get<pid_t>(), SIGHUP);
  CHECK(perch.wait_ready());
  CHECK(perch.worker()["intercept"]["bind"] == 2);
}

TEST_CASE("a worker that says READY=1 and has bound another path is not ready") {
  if (!may_intercept() || !have(is_installed("gunicorn"), "needs gunicorn")) return;
  const TemporaryDirectory application;
  const Scene scene({.command = gunicorn(application, "other.sock")});
  REQUIRE(wait_until([&] {
    return scene.perch.worker()["instances"][0]["status_text"] == "Gunicorn arbiter booted";
  }));
  CHECK(scene.perch.worker()["state"] == "starting");
  CHECK(scene.count("bind") == 0);
}

TEST_CASE("a worker that never binds is never ready") {
  if (!may_intercept()) return;
  const Scene scene(
      {.command = R"(["sleep", "1000"])", .worker = R"(readiness.timeout = "200ms")"});
  CHECK(wait_until([&] { return scene.deaths("never-ready") > 1; }));
  CHECK(scene.perch.log().contains("has not bound api: check that it binds the path of each"));
}

TEST_CASE("a reload to readiness by bound finds what was bound already") {
  if (!may_intercept()) return;
  Scene scene({.worker = R"(readiness.by = "notify")"});
  REQUIRE(wait_until([&] { return scene.perch.worker()["intercept"]["bind"] == 1; }));
  const pid_t pid = scene.pid();
  CHECK(scene.perch.worker()["state"] == "starting");
  scene.perch.write_config(intercepting(scene.directory));
  REQUIRE(scene.perch.request("POST", "/v1/reload").status == 200);
  CHECK(scene.perch.wait_ready());
  CHECK(scene.pid() == pid);
}

TEST_CASE("a daemon that looks for a live owner finds none, unless its guard is off") {
  if (!may_intercept()) return;
  const std::string probing = R"(, "--probe")";
  const Scene guarded({.options = probing});
  REQUIRE(guarded.perch.wait_ready());
  ::kill(guarded.pid(), SIGKILL);
  REQUIRE(guarded.wait_starts(2));
  CHECK(guarded.perch.wait_ready());
  CHECK(guarded.count("connect") == 2);
  const Scene bare({.options = probing, .worker = "probe_guard = false"});
  CHECK(wait_until([&] { return bare.deaths("exit") > 1; }));
  CHECK(bare.perch.worker()["last_deaths"][0]["status"] == 3);
}

TEST_CASE("with tcp_reuse_address a daemon that was killed gets its port back at once") {
  if (!may_intercept()) return;
  for (const bool reuse : {true, false}) {
    CAPTURE(reuse);
    const std::uint16_t port = free_port();
    const Scene scene({.options = fmt::format(R"(, "--tcp", "{}")", port),
                       .worker = fmt::format("tcp_reuse_address = {}", reuse)});
    REQUIRE(scene.perch.wait_ready());
    const UniqueFd client = tcp_client(port);
    char welcome = 0;
    REQUIRE(::recv(client.get(), &welcome, 1, 0) == 1);
    ::kill(scene.pid(), SIGKILL);
    if (reuse) {
      REQUIRE(scene.wait_starts(2));
      CHECK(scene.perch.wait_ready());
      CHECK(scene.count("tcp-bind") == 2);
    } else {
      CHECK(wait_until([&] { return scene.deaths("exit") > 0; }));
    }
  }
}

TEST_CASE("a daemon's chmod counts where the configuration has no mode, and else does not") {
  if (!may_intercept()) return;
  const std::string chmod = R"(, "--chmod", "0606")";
  const Scene free({.options = chmod});
  REQUIRE(wait_until([&] { return free.mode() == 0606; }));
  const Scene set({.options = chmod, .listener = "mode = \"0640\""});
  REQUIRE(wait_until([&] { return set.count("chmod") == 1; }));
  CHECK(set.mode() == 0640);
}

TEST_CASE("a mode that a reload sets restarts the worker, and stands against its chmod") {
  if (!may_intercept()) return;
  const std::string chmod = R"(, "--chmod", "0606")";
  Scene scene({.options = chmod});
  REQUIRE(wait_until([&] { return scene.mode() == 0606; }));
  scene.perch.write_config(
      intercepting(scene.directory, {.options = chmod, .listener = "mode = \"0640\""}));
  REQUIRE(scene.perch.request("POST", "/v1/reload").status == 200);
  REQUIRE(scene.wait_starts(2));
  REQUIRE(wait_until([&] { return scene.count("chmod") == 1; }));
  CHECK(scene.mode() == 0640);
}

TEST_CASE("a worker of another user binds a path where it could not even write") {
  if (!may_intercept()) return;
  const TemporaryDirectory directory;
  ::chmod(directory.path().c_str(), 0755);
  const std::string daemon = directory.path("daemon.py");
  write_text(daemon, read_file(fixture("unmodified_daemon.py")).value());
  const std::string path = directory.path("api.sock");
  const PerchProcess perch(
      directory,
      intercepting(directory, {.command = fmt::format(R"(["python3", "{}", "{}"])", daemon, path),
                               .worker = "user = \"nobody\""}));
  REQUIRE(perch.wait_ready());
  CHECK(perch.worker()["intercept"]["bind"] == 1);
  CHECK(perch.worker()["intercept"]["unreadable"] == 0);
}

TEST_CASE("what was answered is counted over all generations, in status and metrics") {
  if (!may_intercept()) return;
  const Scene scene;
  REQUIRE(scene.perch.wait_ready());
  for (int i = 0; i < 3; ++i) {
    ::kill(scene.pid(), SIGKILL);
    REQUIRE(scene.wait_starts(i + 2));
    REQUIRE(scene.perch.wait_ready());
  }
  CHECK(scene.count("bind") == 4);
  CHECK(scene.perch.request("GET", "/metrics")
            .body.contains("perch_worker_intercepted_total{worker=\"app\",call=\"bind\"} 4\n"));
}

TEST_CASE("a daemon that binds another path, or another kind of socket, gets its own") {
  if (!may_intercept()) return;
  const TemporaryDirectory directory;
  const std::string elsewhere = directory.path("elsewhere.sock");
  const PerchProcess perch(
      directory,
      intercepting(directory, {.command = fmt::format(R"(["{}", "{}"])",
                                                      fixture("unmodified_daemon.py"), elsewhere),
                               .worker = R"(readiness.by = "started")"}));
  REQUIRE(wait_until([&] { return Client(elsewhere).error() == 0; }));
  CHECK(perch.worker()["intercept"]["bind"] == 0);
}

TEST_CASE("a listener that was bound anew elsewhere is what a worker on its way out binds, too") {
  if (!may_intercept()) return;
  const TemporaryDirectory directory;
  const std::string run = directory.path("run");
  std::filesystem::create_directory(run);
  write_text(directory.path("daemon.py"),
             "import os, signal, socket, sys\n"
             "def bind():\n"
             "    listener = socket.socket(socket.AF_UNIX)\n"
             "    listener.bind(sys.argv[1])\n"
             "    return listener\n"
             "def bind_again(*_):\n"
             "    bind()\n"
             "    os._exit(0)\n"
             "signal.signal(signal.SIGTERM, bind_again)\n"
             "listener = bind()\n"
             "while True:\n"
             "    signal.pause()\n");
  const PerchProcess perch(
      directory, fmt::format("[listeners.api]\npath = \"{0}/api.sock\"\n[workers.app]\ncommand = "
                             "[\"python3\", \"{1}\", \"{0}/api.sock\"]\nlisteners = [\"api\"]\n"
                             "handover = \"intercept\"\n[workers.app.restart]\ndelay = \"0ms\"\n",
                             run, directory.path("daemon.py")));
  REQUIRE(perch.wait_ready());
  const auto state = [&] { return perch.status()["listeners"]["api"]["state"]; };
  // perch puts names back while they are being removed.
  std::error_code error;
  REQUIRE(wait_until([&] { return std::filesystem::remove_all(run, error) > 0 && !error; }));
  REQUIRE(wait_until([&] { return state() == "away"; }));
  std::filesystem::create_directory(run);
  CHECK(wait_until(
      [&] { return perch.worker()["starts"] == 2 && perch.worker()["intercept"]["bind"] == 3; }));
}

TEST_CASE("where no filter can be had perch refuses with one line that says what to change") {
  if (!may_intercept()) return;
  const std::array<std::array<std::string, 3>, 2> refusals{{
      {"listened", "install the seccomp filter: Device or resource busy", "SCMP_ACT_NOTIFY"},
      {"forbidden", "install the seccomp filter: Operation not permitted", "seccomp profile"},
  }};
  for (const auto& [runtime, refusal, remedy] : refusals) {
    CAPTURE(runtime);
    const TemporaryDirectory directory;
    PerchProcess perch(directory, intercepting(directory),
                       {.prefix = {fixture("under_filter.py"), runtime}});
    REQUIRE(perch.process().wait() == exited(126));
    CAPTURE(perch.log());
    CHECK(perch.log().contains(refusal));
    CHECK(perch.log().contains(remedy));
  }
}

TEST_CASE("other hand-overs work below a filter that somebody listens to") {
  if (!may_intercept()) return;
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory),
                           {.prefix = {fixture("under_filter.py"), "listened"}});
  CHECK(perch.wait_ready());
  CHECK(perch.worker()["intercept"].is_null());
}

}  // namespace perch::test
