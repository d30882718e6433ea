// SPDX-License-Identifier: Apache-2.0
// Daemons as they come. Each binds its socket itself, and each is killed 30 times under 4 clients,
// restarted, reloaded and stopped: with perch nobody is refused. What happens to the same daemon
// without perch stands beside it in the results.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/daemons/oci_bundle.h"
#include "tests/daemons/supervised.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

std::string words_for(const Daemon& daemon) {
  return daemon.reload == Reload::Unknown ? "" : daemon.reload_signal;
}

void survives(const Daemon& daemon) {
  if (!have(is_root() && daemon.is_there(), "needs root and " + daemon.package)) return;
  const Outcome without = alone(daemon);
  const Outcome with = with_perch(daemon);
  add_result({.daemon = daemon.name,
              .version = daemon.version(),
              .with_perch = with,
              .reload = words_for(daemon),
              .alone = without});
}

// Docker's capabilities for perch, the seccomp profile of containers-common, perch as PID 1.
void survives_in_a_container(Daemon daemon, const std::string& how) {
  if (!have(is_root() && daemon.is_there(), "needs root and " + daemon.package)) return;
  if (!have(is_installed("runc"), "needs runc")) return;
  if (!have(std::filesystem::exists(kSeccompProfile), "needs containers-common")) return;
  daemon.user = "nobody";
  const Outcome with = with_perch(daemon, Home::Container);
  add_result({.daemon = daemon.name + ", " + how,
              .version = daemon.version(),
              .with_perch = with,
              .reload = words_for(daemon)});
}

}  // namespace

TEST_CASE("nginx is killed 30 times and nobody is refused") { survives(nginx()); }
TEST_CASE("gunicorn is killed 30 times and nobody is refused") { survives(gunicorn()); }
TEST_CASE("haproxy is killed 30 times and nobody is refused") { survives(haproxy()); }
TEST_CASE("haproxy's master is killed 30 times and nobody is refused") {
  survives(haproxy_master_worker());
}
TEST_CASE("redis is killed 30 times and nobody is refused") { survives(redis()); }
TEST_CASE("memcached is killed 30 times and nobody is refused") { survives(memcached()); }
TEST_CASE("lighttpd is killed 30 times and nobody is refused") { survives(lighttpd()); }
TEST_CASE("socat is killed 30 times and nobody is refused") { survives(socat()); }
TEST_CASE("a node server is killed 30 times and nobody is refused") { survives(node()); }
TEST_CASE("a Python server is killed 30 times and nobody is refused") { survives(python_http()); }
TEST_CASE("PostgreSQL is killed 30 times and nobody is refused") { survives(postgresql()); }
TEST_CASE("a Rust server is killed 30 times and nobody is refused") { survives(rust_server()); }
TEST_CASE("a static Go server is killed 30 times and nobody is refused") {
  survives(static_go_server());
}
TEST_CASE("a static musl server is killed 30 times and nobody is refused") {
  survives(static_musl_server());
}

TEST_CASE("in a container nginx is killed 30 times and nobody is refused") {
  Daemon daemon = nginx();
  daemon.keeps_capabilities = false;
  survives_in_a_container(daemon, "as nobody in a runc container");
}
TEST_CASE("in a container a static musl server is killed 30 times and nobody is refused") {
  Daemon daemon = static_musl_server();
  daemon.keeps_capabilities = false;
  survives_in_a_container(daemon, "as nobody in a runc container");
}
// perch may only look into a process that has no capability beyond its own.
TEST_CASE("in a container a server that keeps capabilities is killed and nobody is refused") {
  survives_in_a_container(static_musl_server(), "the same with capabilities");
}

}  // namespace perch::test
