// SPDX-License-Identifier: Apache-2.0
// What perch tells a service manager that set NOTIFY_SOCKET, which the test plays.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"
#include "tests/support/perch_process.h"

namespace perch::test {
namespace {

constexpr std::string_view kNotify = "[workers.app.readiness]\nby = \"notify\"\n";

// The socket of NOTIFY_SOCKET, and what has come in on it.
class Parent {
 public:
  explicit Parent(std::string name) : name_(std::move(name)) {
    const auto address = unix_address(name_);
    auto socket = unix_socket(SOCK_DGRAM, Blocking::No);
    REQUIRE(address);
    REQUIRE(socket);
    socket_ = std::move(*socket);
    REQUIRE(::bind(socket_.get(), address->get(), address->size) == 0);
  }
  [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + name_; }
  // All that was ever said, in order, an assignment a line.
  const std::string& heard() {
    while (const auto datagram = receive_datagram(socket_.get())) heard_ += datagram->payload;
    return heard_;
  }
  bool waits_for(const std::string& line) {
    return wait_until([&] { return ("\n" + heard()).contains("\n" + line + "\n"); });
  }
  // Nothing more gets in before heard() is called; how many messages that took.
  [[nodiscard]] int fill() const {
    const auto sender = unix_connect(name_, SOCK_DGRAM, Blocking::No);
    REQUIRE(sender);
    int sent = 0;
    while (send_datagram(sender->get(), "X=1\n")) ++sent;
    return sent;
  }

 private:
  std::string name_;
  UniqueFd socket_;
  std::string heard_;
};

// perch with the test-worker as "app", told of a parent.
struct Scene {
  explicit Scene(const AppConfig& config = {}, const std::vector<std::string>& environment = {})
      : parent(directory.path("parent")),
        perch(directory, app_config(directory, config), surroundings(parent, environment)) {}
  static Surroundings surroundings(const Parent& parent, std::vector<std::string> environment) {
    environment.push_back(parent.variable());
    return {.environment = std::move(environment)};
  }
  [[nodiscard]] std::string api() const { return directory.path("api.sock"); }
  void stop() {
    perch.process().signal(SIGTERM);
    CHECK(perch.process().wait() == exited(0));
  }

  TemporaryDirectory directory;
  Parent parent;
  PerchProcess perch;
};

std::ptrdiff_t count(const std::string& text, const std::string& what) {
  std::ptrdiff_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("the parent hears READY=1 once the worker is ready and not before, then what changes") {
  Scene scene({.arguments = {"--ready", "none"}, .worker = std::string(kNotify)});
  REQUIRE(scene.parent.waits_for("STATUS=0 of 1 workers ready; not app"));
  CHECK_FALSE(scene.parent.heard().contains("READY=1"));

  const std::string notify = ask_newer(scene.api(), 0, "env NOTIFY_SOCKET").text;
  const auto worker = unix_connect(notify, SOCK_DGRAM, Blocking::Yes);
  REQUIRE(worker);
  REQUIRE(send_datagram(worker->get(), "READY=1"));
  REQUIRE(scene.parent.waits_for("READY=1"));
  CHECK(scene.parent.heard().contains("STATUS=1 of 1 workers ready\n"));

  (void)ask(scene.api(), "exit 3");
  CHECK(wait_until(
      [&] { return count(scene.parent.heard(), "STATUS=0 of 1 workers ready; not app\n") == 2; }));
  CHECK(count(scene.parent.heard(), "READY=1") == 1);
}

TEST_CASE("a parent may listen on an abstract socket") {
  const TemporaryDirectory directory;
  Parent parent("@perch-test-" + directory.path());
  const PerchProcess perch(directory, app_config(directory), {.environment = {parent.variable()}});
  CHECK(parent.waits_for("READY=1"));
}

TEST_CASE("a worker that nobody requires is not waited for, and told of") {
  const TemporaryDirectory directory;
  Parent parent(directory.path("parent"));
  const PerchProcess perch(directory,
                           app_config(directory) +
                               "[workers.extra]\ncommand = [\"sleep\", \"1000\"]\n"
                               "required = false\n"
                               "[workers.extra.readiness]\nby = \"notify\"\n",
                           {.environment = {parent.variable()}});
  REQUIRE(parent.waits_for("READY=1"));
  CHECK(parent.waits_for("STATUS=1 of 2 workers ready; not extra"));
}

TEST_CASE("the parent hears of a reload, done or refused, and of the stop with its time") {
  Scene scene({.worker = "stop_timeout = \"7s\""});
  REQUIRE(scene.parent.waits_for("READY=1"));
  CHECK(scene.perch.request("POST", "/v1/reload").status == 200);
  REQUIRE(wait_until([&] { return count(scene.parent.heard(), "READY=1") == 2; }));
  const std::string heard = scene.parent.heard();
  CHECK(heard.contains("RELOADING=1\nMONOTONIC_USEC="));
  CHECK(heard.find("RELOADING=1") < heard.rfind("READY=1"));

  scene.perch.write_config("no configuration");
  CHECK(scene.perch.request("POST", "/v1/reload").status == 422);
  CHECK(wait_until([&] { return count(scene.parent.heard(), "READY=1") == 3; }));

  scene.stop();
  CHECK(scene.parent.heard().contains("STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000\n"));
}

TEST_CASE("while a live owner is waited for the parent's own timeout does not count") {
  const TemporaryDirectory directory;
  Parent parent(directory.path("parent"));
  const auto owner = unix_socket(SOCK_STREAM, Blocking::No);
  const auto address = unix_address(directory.path("api.sock"));
  REQUIRE(owner);
  REQUIRE(address);
  REQUIRE(::bind(owner->get(), address->get(), address->size) == 0);
  REQUIRE(::listen(owner->get(), 8) == 0);
  const PerchProcess perch(
      directory,
      app_config(directory, {.listener = "wait_for_owner = \"500s\"",
                             .worker = "[workers.app.readiness]\ntimeout = \"20s\""}),
      {.environment = {parent.variable()}});
  CHECK(parent.waits_for("EXTEND_TIMEOUT_USEC=520000000"));
  CHECK(parent.waits_for("STATUS=waiting for the listeners' paths"));
  CHECK_FALSE(parent.heard().contains("READY=1"));
}

TEST_CASE("the watchdog is fed again and again where it is perch's, and else not at all") {
  Scene scene({}, {"WATCHDOG_USEC=20000"});
  CHECK(wait_until([&] { return count(scene.parent.heard(), "WATCHDOG=1") >= 5; }));
  CHECK(ask_newer(scene.api(), 0, "env WATCHDOG_USEC").text == "(unset)");
  scene.stop();

  Scene others({}, {"WATCHDOG_USEC=20000", "WATCHDOG_PID=1"});
  REQUIRE(others.parent.waits_for("READY=1"));
  others.stop();
  CHECK_FALSE(others.parent.heard().contains("WATCHDOG=1"));
}

TEST_CASE("a parent that does not read keeps nobody waiting, and hears READY=1 when it does") {
  const TemporaryDirectory directory;
  Parent parent(directory.path("parent"));
  CHECK(parent.fill() > 0);
  const PerchProcess perch(directory, app_config(directory), {.environment = {parent.variable()}});
  REQUIRE(perch.wait_ready());
  for (std::uint64_t generation = 1; generation <= 3; ++generation) {
    ::kill(ask_newer(directory.path("api.sock"), generation - 1).pid, SIGKILL);
  }
  CHECK(perch.wait_ready());
  CHECK_FALSE(parent.heard().contains("READY=1"));
  CHECK(parent.waits_for("READY=1"));
}

TEST_CASE("a parent that is not there, or cannot be, is no trouble") {
  for (const std::string name : {"/nonexistent/socket", "vsock:2:1", "", "@"}) {
    CAPTURE(name);
    const TemporaryDirectory directory;
    PerchProcess perch(directory, app_config(directory),
                       {.environment = {"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=20000"}});
    REQUIRE(perch.wait_ready());
    perch.process().signal(SIGTERM);
    CHECK(perch.process().wait() == exited(0));
  }
}

}  // namespace perch::test
