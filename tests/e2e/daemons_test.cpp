// SPDX-License-Identifier: Apache-2.0
// Daemons as they come, that know nothing of perch but take an inherited socket.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>

#include "tests/support/client_storm.h"
#include "tests/support/nginx_config.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

constexpr const char* kRequest = "GET / HTTP/1.0\r\n\r\n";

bool answers(const std::string& path) {
  Client client(path);
  return client.error() == 0 && client.send(kRequest) && client.some().starts_with("HTTP/1.");
}

// Kills the daemon's first process again and again; whatever it forked has to go with it.
void kill_under_clients(const TemporaryDirectory& directory, const std::string& config) {
  constexpr int kKills = 20;
  const std::string path = directory.path("api.sock");
  const PerchProcess perch(directory, config);
  REQUIRE(wait_until([&] { return answers(path); }));
  ClientStorm storm({.path = path, .request = kRequest});
  for (int i = 0; i < kKills; ++i) {
    const auto served = storm.served();
    REQUIRE(wait_until([&] { return storm.served() > served + 20; }));
    ::kill(perch.worker()["instances"][0]["pid"].get<pid_t>(), SIGKILL);
    REQUIRE(wait_until([&] { return perch.worker()["starts"] == i + 2; }));
  }
  const auto served = storm.served();
  REQUIRE(wait_until([&] { return storm.served() > served + 20; }));

  const StormCounts counts = storm.stop();
  CHECK(counts.refused == 0);
  CHECK(counts.missing == 0);
  CHECK(counts.other == 0);
  CHECK(counts.inodes.size() == 1);
  CHECK(perch.worker()["deaths"]["signal"] == kKills);
}

std::string daemon_config(const TemporaryDirectory& directory, const std::string& worker) {
  return fmt::format(R"([listeners.api]
path = "{}"
[workers.app]
listeners = ["api"]
directory = "{}"
{}
[workers.app.restart]
delay = "0ms"
burst = 1000
)",
                     directory.path("api.sock"), directory.path(), worker);
}

}  // namespace

TEST_CASE("gunicorn with two workers is killed 20 times and nobody is refused") {
  if (!have(is_installed("gunicorn"), "needs gunicorn")) return;
  const TemporaryDirectory directory;
  write_text(directory.path("hello.py"),
             "def app(environ, start_response):\n"
             "    start_response('200 OK', [('Content-Length', '5')])\n"
             "    return [b'hello']\n");
  kill_under_clients(directory, daemon_config(directory, R"(
command = ["gunicorn", "--workers", "2", "--log-level", "warning", "hello:app"]
)"));
}

TEST_CASE("nginx with two workers is killed 20 times and nobody is refused") {
  if (!have(is_root() && is_installed("nginx"), "needs root and nginx")) return;
  const TemporaryDirectory directory;
  write_text(directory.path("nginx.conf"),
             nginx_config(directory.path(), "api.sock", "user root;", "warn"));
  kill_under_clients(directory, daemon_config(directory, fmt::format(R"(
command = ["nginx", "-c", "{0}/nginx.conf", "-p", "{0}"]
environment = {{NGINX = "3;"}}
capabilities = ["all"]
)",
                                                                     directory.path())));
}

}  // namespace perch::test
