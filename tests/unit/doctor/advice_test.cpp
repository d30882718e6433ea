// SPDX-License-Identifier: Apache-2.0
#include "supervisor/doctor/advice.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>

#include "supervisor/config/load.h"
#include "supervisor/config/render.h"

using namespace perch;
using namespace perch::doctor;
using Kind = SocketCall::Kind;

namespace {

const std::string kPath = "/run/app/app.sock";

SocketCall bind_of(const std::string& path) {
  return {.kind = Kind::Bind, .path = path, .type = SOCK_STREAM};
}
SocketCall listen_of(const std::string& path, int backlog = 128) {
  return {.kind = Kind::Listen, .path = path, .backlog = backlog};
}
Advice advice_for(const std::vector<SocketCall>& calls) {
  return advise(habits_of(calls), {.command = {"/usr/sbin/app", "--serve"}});
}
bool mentions(const std::vector<std::string>& lines, std::string_view text) {
  return std::ranges::any_of(lines, [&](const auto& line) { return line.contains(text); });
}

}  // namespace

TEST_CASE("a daemon that binds and listens is to be intercepted") {
  const Advice advice = advice_for({bind_of(kPath), listen_of(kPath, 511)});
  REQUIRE(advice.config);
  CHECK(advice.config->listeners.at("app").path == kPath);
  const auto& worker = advice.config->workers.at("app");
  CHECK(worker.handover == config::HandoverWay::Intercept);
  CHECK(worker.listeners == std::vector<std::string>{"app"});
  CHECK_FALSE(worker.probe_guard);
  CHECK_FALSE(worker.tcp_reuse_address);
  CHECK(mentions(advice.findings, "backlog 511"));
  CHECK(mentions(advice.findings, "Address already in use"));
}

TEST_CASE("what is proposed is a configuration that perch takes") {
  std::vector<SocketCall> calls{bind_of(kPath),
                                listen_of(kPath),
                                bind_of("@abstract name"),
                                listen_of("@abstract name"),
                                bind_of("/srv/x/app.sock"),
                                listen_of("/srv/x/app.sock")};
  calls.push_back({.kind = Kind::Bind, .type = SOCK_STREAM, .tcp_port = 4005});
  const Advice advice = advice_for(calls);
  REQUIRE(advice.config);
  const std::string text = config::to_short_toml(*advice.config);
  CAPTURE(text);
  const auto parsed = config::parse(text, "proposal", {});
  REQUIRE(parsed);
  CHECK(parsed->listeners == advice.config->listeners);
  CHECK(parsed->workers == advice.config->workers);
  CHECK(parsed->listeners.size() == 3);
  CHECK_FALSE(text.contains("max_delay"));
}

TEST_CASE("a daemon that looks for a live owner needs the probe guard") {
  const Advice advice = advice_for({{.kind = Kind::Connect, .path = kPath},
                                    {.kind = Kind::Unlink, .path = kPath},
                                    bind_of(kPath),
                                    listen_of(kPath)});
  REQUIRE(advice.config);
  CHECK(advice.config->workers.at("app").probe_guard);
  CHECK(mentions(advice.findings, "does not start if somebody answers"));
}

TEST_CASE("a connection to another path is no look for an owner") {
  const Advice advice = advice_for(
      {{.kind = Kind::Connect, .path = "/run/other.sock"}, bind_of(kPath), listen_of(kPath)});
  REQUIRE(advice.config);
  CHECK_FALSE(advice.config->workers.at("app").probe_guard);
}

TEST_CASE("a socket is known by the name it is renamed to") {
  const Advice advice =
      advice_for({bind_of(kPath + ".1.tmp"),
                  {.kind = Kind::Rename, .path = kPath + ".1.tmp", .new_path = kPath},
                  listen_of(kPath)});
  REQUIRE(advice.config);
  CHECK(advice.config->listeners.at("app").path == kPath);
  CHECK(mentions(advice.findings, "renames its socket over it"));
}

TEST_CASE("what a daemon does when it stops is told apart from how it starts") {
  const Advice advice = advice_for({bind_of(kPath),
                                    listen_of(kPath),
                                    {.kind = Kind::Shutdown, .path = kPath, .while_stopping = true},
                                    {.kind = Kind::Unlink, .path = kPath, .while_stopping = true}});
  CHECK(mentions(advice.findings, "deletes the path when it is stopped"));
  CHECK(mentions(advice.findings, "shuts the listening socket down"));
  CHECK(mentions(advice.findings, "Address already in use"));
}

TEST_CASE("a TCP port without SO_REUSEADDR is remembered, one of the kernel's choice is not") {
  std::vector<SocketCall> calls{bind_of(kPath), listen_of(kPath)};
  calls.push_back({.kind = Kind::Bind, .type = SOCK_STREAM, .tcp_port = 0});
  CHECK_FALSE(advice_for(calls).config->workers.at("app").tcp_reuse_address);
  calls.push_back({.kind = Kind::Bind, .type = SOCK_STREAM, .tcp_port = 80, .reuse_address = true});
  CHECK_FALSE(advice_for(calls).config->workers.at("app").tcp_reuse_address);
  calls.push_back({.kind = Kind::Bind, .type = SOCK_STREAM, .tcp_port = 4005});
  CHECK(advice_for(calls).config->workers.at("app").tcp_reuse_address);
}

TEST_CASE("a daemon that was run with capabilities keeps them in the proposal") {
  const std::vector<SocketCall> calls{bind_of(kPath), listen_of(kPath)};
  CHECK(advice_for(calls).config->workers.at("app").capabilities.empty());
  const Advice advice = advise(habits_of(calls), {.command = {"app"}, .had_capabilities = true});
  CHECK(advice.config->workers.at("app").capabilities == std::vector<std::string>{"all"});
  CHECK(mentions(advice.reasons, "capabilities"));
}

TEST_CASE("there is nothing to propose for datagrams, and for who only binds") {
  CHECK_FALSE(advice_for({}).config);
  CHECK_FALSE(advice_for({bind_of(kPath)}).config);
  CHECK_FALSE(advice_for({{.kind = Kind::Bind, .path = kPath, .type = SOCK_DGRAM}}).config);
}
