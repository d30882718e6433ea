// SPDX-License-Identifier: Apache-2.0
// The channel, with a worker's end in the test's hand: greeting, hand-over, drain, and workers that
// talk too much, read too little, or go.
#include "supervisor/handover/channel.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>

#include <memory>
#include <string>
#include <vector>

#include "common/posix/fd_passing.h"
#include "tests/support/process_info.h"
#include "tests/unit/handover/scene.h"

namespace perch::test {
namespace {

using handover::Channel;
using handover::NamedFd;

constexpr std::chrono::microseconds kDeadline{5'000'000};
const std::string kHello = "HELLO=1\n";

// A channel and the worker at its other end.
struct Line {
  explicit Line(std::vector<NamedFd> offered = {}) {
    auto ends = Channel::open(loop, std::move(offered), heard.listener());
    REQUIRE(ends);
    channel = std::move(ends->ours);
    worker = std::move(ends->workers);
  }
  void say(const std::string& text) const { REQUIRE(send_datagram(worker.get(), text)); }
  std::optional<Datagram> read() const {
    auto datagram = receive_datagram(worker.get());
    return datagram ? std::optional(std::move(*datagram)) : std::nullopt;
  }

  Loop loop;
  Heard heard;
  std::unique_ptr<Channel> channel;
  UniqueFd worker;
};

}  // namespace

TEST_CASE("a worker that says hello gets its listeners, once, by their names and in their order") {
  const UniqueFd api = named_file("api");
  const UniqueFd admin = named_file("admin");
  Line line({{"api", api.get()}, {"admin", admin.get()}});
  run_all(line.loop);
  CHECK_FALSE(line.channel->greeted());
  CHECK_FALSE(line.read());

  line.say(kHello);
  run_all(line.loop);
  CHECK(line.channel->greeted());
  const auto offer = line.read();
  REQUIRE(offer);
  const NotifyMessage message = NotifyMessage::parse(offer->payload);
  CHECK(message.get("LISTEN_FDS") == "2");
  CHECK(message.get("LISTEN_FDNAMES") == "api:admin");
  REQUIRE(offer->fds.size() == 2);
  CHECK(name_of(offer->fds[0]) == "api");
  CHECK(name_of(offer->fds[1]) == "admin");
  CHECK(line.heard.texts == std::vector<std::string>{"HELLO=1\n"});

  line.say(kHello);
  run_all(line.loop);
  CHECK_FALSE(line.read());
}

TEST_CASE("more listeners than one message carries come in portions, none lost, all in order") {
  const UniqueFd file = named_file("listener");
  std::vector<NamedFd> offered;
  for (int i = 0; i < 600; ++i) offered.push_back({"n" + std::to_string(i), file.get()});
  Line line(offered);
  line.say(kHello);
  std::vector<std::string> names;
  std::vector<std::size_t> portions;
  CHECK(run_until(line.loop, [&] {
    while (const auto message = line.read()) {
      const auto fields = NotifyMessage::parse(message->payload);
      const auto part = split_names(fields.get("LISTEN_FDNAMES").value_or(""));
      CHECK(fields.get("LISTEN_FDS") == std::to_string(message->fds.size()));
      CHECK(part.size() == message->fds.size());
      names.insert(names.end(), part.begin(), part.end());
      portions.push_back(part.size());
    }
    return names.size() >= offered.size();
  }));
  CHECK(portions == std::vector<std::size_t>{253, 253, 94});
  for (std::size_t i = 0; i < offered.size(); ++i) CHECK(names.at(i) == offered[i].name);
}

TEST_CASE("descriptors that a worker sends are closed") {
  Line line;
  const UniqueFd file = named_file("gift");
  const std::size_t before = open_fds(::getpid());
  for (int i = 0; i < 10; ++i) {
    REQUIRE(send_datagram(line.worker.get(), "STATUS=x", std::array{file.get(), file.get()}));
  }
  line.channel->drain();
  CHECK(line.heard.texts.size() == 10);
  CHECK(open_fds(::getpid()) == before);
}

TEST_CASE("a request to drain says how long there is") {
  Line line;
  REQUIRE(line.channel->ask_to_drain(kDeadline));
  const auto message = line.read();
  REQUIRE(message);
  const NotifyMessage fields = NotifyMessage::parse(message->payload);
  CHECK(fields.says("DRAIN", "1"));
  CHECK(fields.get("DEADLINE_USEC") == "5000000");
}

TEST_CASE("a worker that never reads costs a bounded queue; what was taken arrives when it reads") {
  Line line;
  int taken = 0;
  while (taken < 100'000 && line.channel->ask_to_drain(std::chrono::microseconds(taken))) ++taken;
  CHECK(taken < 100'000);
  const auto refused = line.channel->ask_to_drain(kDeadline);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(ENOBUFS));

  int arrived = 0;
  CHECK(run_until(line.loop, [&] {
    while (const auto message = line.read()) {
      CHECK(NotifyMessage::parse(message->payload).get("DEADLINE_USEC") == std::to_string(arrived));
      ++arrived;
    }
    return arrived >= taken;
  }));
  CHECK(line.channel->ask_to_drain(kDeadline));
}

TEST_CASE("all that a worker said before it went is heard, then the channel is at rest") {
  Line line;
  for (int i = 0; i < 200; ++i) line.say("STATUS=" + std::to_string(i));
  line.worker.reset();
  line.loop.run();  // returns since nothing is watched any more
  REQUIRE(line.heard.texts.size() == 200);
  CHECK(line.heard.texts.back() == "STATUS=199\n");
  const auto sent = line.channel->ask_to_drain(kDeadline);
  REQUIRE_FALSE(sent);
  CHECK(sent.error().is(EPIPE));
}

TEST_CASE("a worker that goes with its queue full leaves the channel at rest") {
  Line line;
  while (line.channel->ask_to_drain(kDeadline)) {
  }
  line.worker.reset();
  line.loop.run();
  CHECK_FALSE(line.channel->ask_to_drain(kDeadline));
}

TEST_CASE("drain hears everything at once, without the loop") {
  Line line;
  for (int i = 0; i < 200; ++i) line.say("STATUS=" + std::to_string(i));
  line.channel->drain();
  CHECK(line.heard.texts.size() == 200);
}

TEST_CASE("a message that is too long is dropped and the next one heard") {
  Line line;
  line.say("STATUS=" + std::string(kMaxDatagram, 'x'));
  line.say("READY=1");
  line.channel->drain();
  CHECK(line.heard.texts == std::vector<std::string>{"READY=1\n"});
}

TEST_CASE("a message's listener may destroy the channel, from the loop and from drain") {
  for (const bool by_loop : {true, false}) {
    CAPTURE(by_loop);
    Loop loop;
    std::unique_ptr<Channel> channel;
    int heard = 0;
    const std::string kept(100, 'k');
    auto ends = Channel::open(loop, {}, [&, kept](const NotifyMessage&) {
      channel.reset();
      if (kept.size() == 100) ++heard;  // what was captured still is
    });
    REQUIRE(ends);
    channel = std::move(ends->ours);
    for (int i = 0; i < 3; ++i) REQUIRE(send_datagram(ends->workers.get(), kHello));
    if (by_loop) loop.run();
    if (!by_loop) channel->drain();
    CHECK(heard == 1);
    CHECK(channel == nullptr);
  }
}

TEST_CASE("the worker's end is closed by exec unless it is handed over") {
  Line line;
  CHECK((::fcntl(line.worker.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

}  // namespace perch::test
