// SPDX-License-Identifier: Apache-2.0
#include "worker/library/channel.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstdlib>

#include "common/posix/notify_message.h"
#include "common/posix/unix_socket.h"

namespace perch::worker {
namespace {

// perch's end of the channel and the worker's; the greeting is already read.
struct Line {
  UniqueFd perch;
  Channel channel;

  static Line open() {
    auto pair = seqpacket_pair();
    REQUIRE(pair.has_value());
    auto channel = Channel::open(std::move(pair->second));
    REQUIRE(channel.has_value());
    Line line{std::move(pair->first), std::move(*channel)};
    CHECK(line.heard() == "HELLO=1\n");
    return line;
  }

  std::string heard() const {
    const auto datagram = receive_datagram(perch.get());
    return datagram ? datagram->payload : std::string();
  }
  void tell(std::string_view text, std::span<const int> fds = {}) const {
    REQUIRE(send_datagram(perch.get(), text, fds).has_value());
  }
  template <class Expected>
  Expected expect() {
    auto event = channel.next_event();
    REQUIRE(event.has_value());
    REQUIRE(event->has_value());
    REQUIRE(std::holds_alternative<Expected>(**event));
    return std::get<Expected>(std::move(**event));
  }
};

}  // namespace

TEST_CASE("listeners come with their names, and later ones come live") {
  Line line = Line::open();
  const auto first = unix_socket(SOCK_STREAM, Blocking::No);
  const int one[] = {first->get()};
  line.tell("LISTEN_FDS=1\nLISTEN_FDNAMES=api\n", one);
  const auto api = line.expect<ListenerArrived>();
  CHECK(api.name == "api");
  CHECK((::fcntl(api.socket.get(), F_GETFD) & FD_CLOEXEC) != 0);

  const int two[] = {first->get(), first->get()};
  line.tell("LISTEN_FDS=2\nLISTEN_FDNAMES=admin\n", two);
  CHECK(line.expect<ListenerArrived>().name == "admin");
  CHECK(line.expect<ListenerArrived>().name == "unknown");
  CHECK_FALSE(line.channel.next_event()->has_value());
}

TEST_CASE("a count that does not fit the descriptors drops the message, not the channel") {
  Line line = Line::open();
  line.tell("LISTEN_FDS=2\nLISTEN_FDNAMES=a:b\nDRAIN=1\n");
  const auto broken = line.channel.next_event();
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().text() == "channel: LISTEN_FDS=2 came with 0 descriptors");
  line.tell("RETIRE=1\nFDNAME=a\n");
  CHECK(line.expect<ListenerRetired>().name == "a");
}

TEST_CASE("a drain tells how long it may take, if perch said so") {
  Line line = Line::open();
  line.tell("DRAIN=1\nDEADLINE_USEC=25000000\n");
  CHECK(line.expect<DrainRequested>().deadline == std::chrono::seconds(25));
  line.tell("DRAIN=1\nDEADLINE_USEC=soon\n");
  CHECK_FALSE(line.expect<DrainRequested>().deadline.has_value());
}

TEST_CASE("unknown messages are passed over") {
  Line line = Line::open();
  line.tell("WEATHER=fine\n");
  line.tell("DRAIN=0\n");
  CHECK_FALSE(line.channel.next_event()->has_value());
}

TEST_CASE("what perch said last is heard before its end, and its end only once") {
  Line line = Line::open();
  line.tell("RETIRE=1\nFDNAME=api\n");
  line.perch.reset();
  CHECK(line.expect<ListenerRetired>().name == "api");
  line.expect<SupervisorGone>();
  CHECK_FALSE(line.channel.next_event()->has_value());
}

TEST_CASE("the worker's news goes out one line a message") {
  Line line = Line::open();
  REQUIRE(line.channel.ready().has_value());
  REQUIRE(line.channel.status("3 tasks\nREADY=0").has_value());
  REQUIRE(line.channel.extend_timeout(std::chrono::seconds(2)).has_value());
  REQUIRE(line.channel.watchdog().has_value());
  REQUIRE(line.channel.stopping().has_value());
  CHECK(line.heard() == "READY=1\n");
  CHECK(line.heard() == "STATUS=3 tasks READY=0\n");
  CHECK(line.heard() == "EXTEND_TIMEOUT_USEC=2000000\n");
  CHECK(line.heard() == "WATCHDOG=1\n");
  CHECK(line.heard() == "STOPPING=1\n");
}

TEST_CASE("news to a perch that is gone is an error, not a signal") {
  Line line = Line::open();
  line.perch.reset();
  const auto said = line.channel.ready();
  REQUIRE_FALSE(said.has_value());
  CHECK(said.error().is(EPIPE));
}

TEST_CASE("only a seqpacket socket is a channel") {
  auto stream = unix_socket(SOCK_STREAM, Blocking::No);
  const auto refused = Channel::open(std::move(*stream));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().is(EPROTOTYPE));
}

TEST_CASE("the channel is found in the environment, once") {
  auto pair = seqpacket_pair();
  ::setenv(kChannelVariable, std::to_string(pair->second.release()).c_str(), 1);
  CHECK(Channel::from_environment().has_value());
  CHECK(std::getenv(kChannelVariable) == nullptr);
  CHECK_FALSE(Channel::from_environment().has_value());

  ::setenv(kChannelVariable, "three", 1);
  const auto refused = Channel::from_environment();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text() == "PERCH_CHANNEL='three' is not a descriptor number");
}

}  // namespace perch::worker
