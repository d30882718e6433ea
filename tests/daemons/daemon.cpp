// SPDX-License-Identifier: Apache-2.0
#include "tests/daemons/daemon.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "tests/support/nginx_config.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

using Argv = std::vector<std::string>;

constexpr const char* kHttpRequest = "GET /hello HTTP/1.0\r\n\r\n";
constexpr const char* kHttpAnswer = "HTTP/1.";

std::string server_source(const char* name) {
  return from_build("PERCH_SOURCE") + "/tests/daemons/servers/" + name;
}

// A server that the build made; empty where its compiler is missing.
std::string built(const char* variable) {
  const char* path = std::getenv(variable);
  return path == nullptr ? "" : path;
}

Argv program_and_socket(const Daemon& daemon, const TemporaryDirectory& directory) {
  return {daemon.program, daemon.socket_in(directory)};
}

Argv set_up_nginx(const Daemon& daemon, const TemporaryDirectory& directory) {
  const std::string user = daemon.user.empty() ? "user root;" : "";
  write_text(directory.path("nginx.conf"),
             nginx_config(directory.path(), daemon.socket, user, "crit"));
  return {"nginx", "-c", directory.path("nginx.conf"), "-p", directory.path()};
}

Argv set_up_gunicorn(const Daemon& daemon, const TemporaryDirectory& directory) {
  return {"gunicorn",        "--workers", "2",
          "--log-level",     "critical",  "--chdir",
          server_source(""), "--bind",    "unix:" + daemon.socket_in(directory),
          "hello_wsgi:app"};
}

Argv haproxy_command(const Daemon& daemon, const TemporaryDirectory& directory,
                     const std::string& mode) {
  constexpr std::string_view kConfig = R"(global
  maxconn 256
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend hello
  bind unix@{}
  http-request return status 200 content-type text/plain string hello
)";
  write_text(directory.path("haproxy.cfg"), fmt::format(kConfig, daemon.socket_in(directory)));
  return {daemon.program, mode, "-f", directory.path("haproxy.cfg")};
}

Argv set_up_redis(const Daemon& daemon, const TemporaryDirectory& directory) {
  return {"redis-server",
          "--port",
          "0",
          "--unixsocket",
          daemon.socket_in(directory),
          "--save",
          "",
          "--appendonly",
          "no",
          "--dir",
          directory.path(),
          "--loglevel",
          "warning"};
}

Argv set_up_lighttpd(const Daemon& daemon, const TemporaryDirectory& directory) {
  write_text(directory.path("hello"), "hello\n");
  write_text(directory.path("lighttpd.conf"),
             fmt::format("server.document-root = \"{}\"\nserver.bind = \"{}\"\n", directory.path(),
                         daemon.socket_in(directory)));
  return {"lighttpd", "-D", "-f", directory.path("lighttpd.conf")};
}

// initdb and postgres refuse to run as root.
Argv set_up_postgresql(const Daemon& daemon, const TemporaryDirectory& directory) {
  const std::string data = directory.path("data");
  const std::string binaries = daemon.program.substr(0, daemon.program.rfind('/'));
  const Finished made = run({.argv = as_user(daemon, {binaries + "/initdb", "--no-sync",
                                                      "--auth=trust", "--no-locale", "-D", data})});
  if (made.ending != exited(0)) throw std::runtime_error("initdb: " + made.err);
  return {daemon.program,      "-D", data,        "-k", directory.path(),        "-c",
          "listen_addresses=", "-c", "fsync=off", "-c", "log_min_messages=panic"};
}

// A message of protocol 3.0: its length, the version, then pairs of texts.
std::string startup_packet() {
  using namespace std::string_literals;
  const std::string body = "\0\3\0\0user\0postgres\0database\0postgres\0\0"s;
  return "\0\0\0"s + static_cast<char>(body.size() + 4) + body;
}

Daemon http_daemon(const char* name, const char* package, const char* program,
                   Argv (*set_up)(const Daemon&, const TemporaryDirectory&)) {
  return {.name = name,
          .package = package,
          .program = program,
          .set_up = set_up,
          .request = kHttpRequest,
          .answer = kHttpAnswer};
}

}  // namespace

Daemon nginx() {
  Daemon daemon = http_daemon("nginx", "nginx-light", "nginx", set_up_nginx);
  daemon.reload = Reload::NewChildren;
  return daemon;
}

Daemon gunicorn() {
  Daemon daemon = http_daemon("gunicorn", "gunicorn", "gunicorn", set_up_gunicorn);
  daemon.reload = Reload::NewChildren;
  return daemon;
}

Daemon haproxy() {
  return http_daemon("haproxy -db", "haproxy", "haproxy",
                     [](const Daemon& daemon, const TemporaryDirectory& directory) {
                       return haproxy_command(daemon, directory, "-db");
                     });
}

Daemon haproxy_master_worker() {
  Daemon daemon = http_daemon("haproxy -W", "haproxy", "haproxy",
                              [](const Daemon& self, const TemporaryDirectory& directory) {
                                return haproxy_command(self, directory, "-W");
                              });
  daemon.reload = Reload::NewChildren;
  daemon.reload_signal = "SIGUSR2";
  return daemon;
}

Daemon redis() {
  return {.name = "redis",
          .package = "redis-server",
          .program = "redis-server",
          .set_up = set_up_redis,
          .request = "PING\r\n",
          .answer = "+PONG"};
}

Daemon memcached() {
  return {.name = "memcached",
          .package = "memcached",
          .program = "memcached",
          .set_up = [](const Daemon& daemon, const TemporaryDirectory& directory) -> Argv {
            return {"memcached", "-u", "root", "-s", daemon.socket_in(directory)};
          },
          .request = "version\r\n",
          .answer = "VERSION"};
}

Daemon lighttpd() {
  Daemon daemon = http_daemon("lighttpd", "lighttpd", "lighttpd", set_up_lighttpd);
  daemon.reload = Reload::InPlace;
  daemon.reload_signal = "SIGUSR1";
  return daemon;
}

Daemon socat() {
  return {.name = "socat UNIX-LISTEN,fork",
          .package = "socat",
          .program = "socat",
          .set_up = [](const Daemon& daemon, const TemporaryDirectory& directory) -> Argv {
            return {"socat", "UNIX-LISTEN:" + daemon.socket_in(directory) + ",unlink-early,fork",
                    "PIPE"};
          },
          .answer = "ping\n"};
}

Daemon node() {
  return {.name = "node net.createServer",
          .package = "nodejs",
          .program = "node",
          .set_up = [](const Daemon& daemon, const TemporaryDirectory& directory) -> Argv {
            return {"node", server_source("pong.js"), daemon.socket_in(directory)};
          }};
}

Daemon python_http() {
  return http_daemon("python http.server", "python3", "/usr/bin/python3",
                     [](const Daemon& daemon, const TemporaryDirectory& directory) -> Argv {
                       return {daemon.program, server_source("hello.py"),
                               daemon.socket_in(directory)};
                     });
}

Daemon postgresql() {
  return {.name = "PostgreSQL",
          .package = "postgresql-15",
          .program = "/usr/lib/postgresql/15/bin/postgres",
          .set_up = set_up_postgresql,
          .request = startup_packet(),
          .answer = "R",  // "authenticated"
          .reload = Reload::InPlace,
          .user = "postgres",
          .socket = ".s.PGSQL.5432"};
}

Daemon rust_server() {
  return {.name = "a Rust server",
          .package = "rustc",
          .program = built("PERCH_RUST_SERVER"),
          .set_up = program_and_socket};
}

Daemon static_go_server() {
  return {.name = "a static Go server",
          .package = "golang-go",
          .program = built("PERCH_GO_SERVER"),
          .set_up = program_and_socket};
}

Daemon static_musl_server() {
  return {.name = "a static musl C server",
          .package = "musl-tools",
          .program = built("PERCH_MUSL_SERVER"),
          .set_up = program_and_socket};
}

std::vector<std::string> Daemon::command_in(const TemporaryDirectory& directory) const {
  if (!user.empty()) {
    const passwd& account = account_of(user);
    if (::chown(directory.path().c_str(), account.pw_uid, account.pw_gid) != 0) {
      throw std::system_error(errno, std::generic_category(), "chown " + directory.path());
    }
  }
  return set_up(*this, directory);
}

bool Daemon::is_there() const {
  return program.contains('/') ? ::access(program.c_str(), X_OK) == 0 : is_installed(program);
}

std::string Daemon::version() const {
  const Finished asked = run({.argv = {"dpkg-query", "-W", "-f", "${Version}", package}});
  return asked.ending == exited(0) ? asked.out : "";
}

const passwd& account_of(const std::string& user) {
  const passwd* account = ::getpwnam(user.c_str());
  if (account == nullptr) throw std::runtime_error("no user " + user);
  return *account;
}

std::vector<std::string> as_user(const Daemon& daemon, std::vector<std::string> command) {
  if (daemon.user.empty()) return command;
  Argv whole{"setpriv", "--reuid", daemon.user, "--regid", daemon.user, "--init-groups", "--"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

}  // namespace perch::test
