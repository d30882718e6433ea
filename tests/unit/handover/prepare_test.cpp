// SPDX-License-Identifier: Apache-2.0
// What a child's descriptors and environment look like for each way of hand-over, and a listener
// that is as it was promised whatever an earlier generation did to it.
#include "supervisor/handover/prepare.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>

#include "common/posix/unix_socket.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {
namespace {

using config::HandoverWay;
using handover::NamedFd;
using Texts = std::vector<std::string>;

const std::vector<NamedFd> kListeners{{"api", 70}, {"admin", 71}};

process::SpawnRequest prepared(HandoverWay way, int channel = -1) {
  process::SpawnRequest request;
  request.fds = {10, 11, 12};
  handover::prepare(way, kListeners, channel, request);
  return request;
}

bool is_nonblocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

timeval timeout_of(int fd, int option) {
  timeval value{.tv_sec = -1, .tv_usec = -1};
  socklen_t size = sizeof value;
  ::getsockopt(fd, SOL_SOCKET, option, &value, &size);
  return value;
}

bool is_never(const timeval& time) { return time.tv_sec == 0 && time.tv_usec == 0; }

bool passes_credentials(int fd) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, &size);
  return value != 0;
}

// What a worker can do to the description that it shares with perch.
void spoil(int fd) {
  const timeval soon{.tv_sec = 1, .tv_usec = 500'000};
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
  ::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
}

}  // namespace

TEST_CASE("listen-fds: listeners from descriptor 3 on, named, and LISTEN_PID by the child") {
  const auto request = prepared(HandoverWay::ListenFds);
  CHECK(request.fds == std::vector<int>{10, 11, 12, 70, 71});
  CHECK(request.environment == Texts{"LISTEN_FDS=2", "LISTEN_FDNAMES=api:admin"});
  CHECK(request.listen_pid);
}

TEST_CASE("channel: the worker's end, its number in PERCH_CHANNEL, and no listener yet") {
  const auto request = prepared(HandoverWay::Channel, 80);
  CHECK(request.fds == std::vector<int>{10, 11, 12, 80});
  CHECK(request.environment == Texts{"PERCH_CHANNEL=3"});
  CHECK_FALSE(request.listen_pid);
}

TEST_CASE("stdin: the listener as descriptor 0, and no variable") {
  const auto request = prepared(HandoverWay::Stdin);
  CHECK(request.fds == std::vector<int>{70, 11, 12});
  CHECK(request.environment.empty());
  CHECK_FALSE(request.listen_pid);
}

TEST_CASE("intercept: nothing at all, what the worker binds is its listener") {
  const auto request = prepared(HandoverWay::Intercept);
  CHECK(request.fds == std::vector<int>{10, 11, 12});
  CHECK(request.environment.empty());
  CHECK_FALSE(request.listen_pid);
}

TEST_CASE("a worker without listeners gets none, and is told so where it would ask") {
  for (const HandoverWay way : {HandoverWay::ListenFds, HandoverWay::Stdin}) {
    process::SpawnRequest request;
    request.fds = {10, 11, 12};
    handover::prepare(way, {}, -1, request);
    CHECK(request.fds == std::vector<int>{10, 11, 12});
    const bool told = std::ranges::count(request.environment, "LISTEN_FDS=0") == 1;
    CHECK(told == (way == HandoverWay::ListenFds));
  }
}

TEST_CASE("a description is restored for its way, whatever a worker did to it") {
  for (const HandoverWay way :
       {HandoverWay::Channel, HandoverWay::Intercept, HandoverWay::ListenFds, HandoverWay::Stdin}) {
    for (const Blocking left : {Blocking::No, Blocking::Yes}) {
      auto socket = unix_socket(SOCK_STREAM, left);
      REQUIRE(socket);
      spoil(socket->get());
      REQUIRE_FALSE(is_never(timeout_of(socket->get(), SO_RCVTIMEO)));
      REQUIRE(passes_credentials(socket->get()));
      REQUIRE(handover::restore_description(socket->get(), way));
      CHECK(is_nonblocking(socket->get()) == (way == HandoverWay::Channel));
      CHECK(is_never(timeout_of(socket->get(), SO_RCVTIMEO)));
      CHECK_FALSE(passes_credentials(socket->get()));
    }
  }
}

TEST_CASE("a connection inherits nothing that a worker did to the listener") {
  const TemporaryDirectory directory;
  const auto address = unix_address(directory.path("s"));
  auto listener = unix_socket(SOCK_STREAM, Blocking::Yes);
  REQUIRE((address && listener));
  REQUIRE(::bind(listener->get(), address->get(), address->size) == 0);
  REQUIRE(::listen(listener->get(), 1) == 0);
  spoil(listener->get());
  REQUIRE(handover::restore_description(listener->get(), HandoverWay::ListenFds));
  const auto client = unix_connect(directory.path("s"), SOCK_STREAM, Blocking::Yes);
  const UniqueFd connection(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE((client && connection));
  CHECK(is_never(timeout_of(connection.get(), SO_RCVTIMEO)));
  CHECK(is_never(timeout_of(connection.get(), SO_SNDTIMEO)));
  CHECK_FALSE(passes_credentials(connection.get()));
}

TEST_CASE("what cannot be restored is an error") {
  CHECK_FALSE(handover::restore_description(-1, HandoverWay::Channel));
}

TEST_CASE("variables of somebody else's hand-over are known, others are left alone") {
  for (const char* name : {"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID",
                           "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "PERCH_CHANNEL",
                           "PERCH_GENERATION", "PERCH_WORKER", "PERCH_LAST_CAUSE"}) {
    CAPTURE(name);
    CHECK(handover::is_handover_variable(name));
  }
  for (const char* name : {"PATH", "LISTEN", "LISTEN_FDS_", "PERCH", "listen_fds", ""}) {
    CAPTURE(name);
    CHECK_FALSE(handover::is_handover_variable(name));
  }
}

}  // namespace perch::test
