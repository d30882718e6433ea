// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/http_port.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>

#include "supervisor/control/tcp_listener.h"
#include "tests/support/requirement.h"
#include "tests/unit/control/fixture.h"

namespace perch::control {
namespace {

UniqueFd connect_to(const std::string& host, std::uint16_t port) {
  sockaddr_in four{};
  sockaddr_in6 six{};
  four.sin_family = AF_INET;
  six.sin6_family = AF_INET6;
  four.sin_port = six.sin6_port = htons(port);
  const bool is_four = ::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1;
  if (!is_four) REQUIRE(::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1);
  UniqueFd fd(::socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* const address =
      is_four ? reinterpret_cast<const sockaddr*>(&four) : reinterpret_cast<const sockaddr*>(&six);
  const socklen_t size = is_four ? sizeof four : sizeof six;
  if (::connect(fd.get(), address, size) != 0) fd.reset();
  return fd;
}

bool has_ipv6() { return listen_on({.host = "::1"}).has_value(); }

struct Port {
  explicit Port(const config::TcpAddress& address, const HttpLimits& limits = {}) {
    auto opened = HttpPort::open(loop, address, target, limits);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
    port = std::move(*opened);
  }
  std::string ask(const std::string& host, const std::string& request_line) {
    RawClient client(connect_to(host, port->address().port));
    client.send(request_line + " HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(turn_until([&] { return client.closed(); }));
    return client.received();
  }
  template <class Predicate>
  bool turn_until(Predicate predicate) {
    return test::wait_until([&] {
      loop.run_pending();
      return predicate();
    });
  }
  Loop loop;
  FakeTarget target;
  std::unique_ptr<HttpPort> port;
};

}  // namespace

TEST_CASE("the port answers probes") {
  Port port({.host = "127.0.0.1"});
  CHECK(port.port->address().port != 0);
  CHECK(port.ask("127.0.0.1", "GET /livez").ends_with("\r\n\r\nok\n"));
  CHECK(port.ask("127.0.0.1", "GET /readyz").starts_with("HTTP/1.1 200 "));
  port.target.waiting_for = {"app"};
  CHECK(port.ask("127.0.0.1", "GET /readyz").starts_with("HTTP/1.1 503 "));
  CHECK(port.ask("127.0.0.1", "GET /livez").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("nothing else is there, for whoever asks") {
  Port port({.host = "127.0.0.1"});
  for (const auto* request :
       {"GET /", "GET /v1/status", "GET /v1/events", "GET /v1/events?follow=1", "GET /v1/config",
        "POST /v1/reload", "POST /v1/workers/app/stop"}) {
    CAPTURE(request);
    CHECK(port.ask("127.0.0.1", request).starts_with("HTTP/1.1 404 "));
  }
  CHECK(port.ask("127.0.0.1", "GET /x").find("/v1") == std::string::npos);
  CHECK(port.ask("127.0.0.1", "POST /livez").starts_with("HTTP/1.1 405 "));
  CHECK(port.target.reloads == 0);
  CHECK(port.target.acted.empty());
}

TEST_CASE("without a host both families are served") {
  Port port({});
  CHECK(port.ask("127.0.0.1", "GET /livez").starts_with("HTTP/1.1 200 "));
  if (!test::have(has_ipv6(), "needs IPv6 on the loopback")) return;
  CHECK(port.ask("::1", "GET /livez").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("an address is that address alone") {
  if (!test::have(has_ipv6(), "needs IPv6 on the loopback")) return;
  const Port port({.host = "::1"});
  CHECK_FALSE(connect_to("127.0.0.1", port.port->address().port));
  CHECK(connect_to("::1", port.port->address().port));
}

TEST_CASE("a port in use is an error that says what to do") {
  Port port({.host = "127.0.0.1"});
  const auto second = HttpPort::open(port.loop, port.port->address(), port.target);
  REQUIRE_FALSE(second);
  CHECK(second.error().text() ==
        "http port " + config::tcp_address_text(port.port->address()) +
            ": bind: Address already in use; another program has it: end that one, or set "
            "perch.http to another port");
}

TEST_CASE("connections of one that has ended do not keep the port") {
  config::TcpAddress address;
  UniqueFd client;
  {
    Port port({.host = "127.0.0.1"});
    address = port.port->address();
    CHECK(port.ask("127.0.0.1", "GET /livez").starts_with("HTTP/1.1 200 "));
    client = connect_to("127.0.0.1", address.port);
    REQUIRE(client);
    port.loop.run_pending();
  }
  const Port again(address);
  CHECK(again.port->address() == address);
}

TEST_CASE("a probe gets through a thousand who connect and say nothing") {
  Port port({.host = "127.0.0.1"});
  std::vector<UniqueFd> sleepers;
  for (int i = 0; i < 1'000; ++i) {
    sleepers.push_back(connect_to("127.0.0.1", port.port->address().port));
    REQUIRE(sleepers.back());
    port.loop.run_pending();
  }
  CHECK(port.ask("127.0.0.1", "GET /livez").starts_with("HTTP/1.1 200 "));
}

}  // namespace perch::control
