// SPDX-License-Identifier: Apache-2.0
// Perch's end of the line: against a real keeper on the same loop, and against what only pretends
// to be one.
#include "supervisor/keeper/line.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <map>

#include "common/posix/unix_socket.h"
#include "supervisor/keeper/protocol.h"
#include "tests/support/wait_until.h"
#include "tests/unit/keeper/scene.h"

namespace perch::test {
namespace {

// A perch that offers what the test puts here.
struct Perch final : keeper::Line::Owner {
  void on_connected(std::vector<keeper::Line::Fetched> kept) override {
    ++connections;
    fetched = std::move(kept);
  }
  std::optional<keeper::Line::Offer> offer(const std::string& key) override {
    if (!offers.contains(key)) return std::nullopt;
    return keeper::Line::Offer{"facts of " + key, {offers.at(key).get()}};
  }
  void on_kept(const std::string& key) override { acknowledged.push_back(key); }
  void on_dropped(const std::string& key) override { dropped.push_back(key); }
  void on_trouble(const std::string& why) override { troubles.push_back(why); }

  keeper::ProofOfLife life;
  int connections = 0;
  std::vector<keeper::Line::Fetched> fetched;
  std::map<std::string, UniqueFd> offers;
  std::vector<std::string> acknowledged, dropped, troubles;
};

// Listens as a keeper would, and says what the test says.
struct Pretender {
  explicit Pretender(const std::string& path) {
    const auto address = unix_address(path);
    auto made = unix_socket(SOCK_SEQPACKET, Blocking::No);
    REQUIRE(made);
    listener = std::move(*made);
    REQUIRE(::bind(listener.get(), address->get(), address->size) == 0);
    REQUIRE(::listen(listener.get(), 4) == 0);
  }
  void answer(const std::string& text) {
    connection.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    REQUIRE(connection);
    REQUIRE(send_datagram(connection.get(), text));
  }
  UniqueFd listener, connection;
};

}  // namespace

TEST_CASE("what is touched comes to the keeper, and the next perch fetches it") {
  Keeping keeping;
  Perch perch;
  perch.offers["/a"] = some_file();
  perch.offers["/b"] = some_file();
  {
    keeper::Line line(keeping.loop, keeping.path, perch, perch.life);
    line.connect();
    REQUIRE(turn_until(keeping.loop, [&] { return line.connected(); }));
    CHECK(line.is_apart());
    CHECK(perch.fetched.empty());
    line.touch("/a");
    line.touch("/b");
    REQUIRE(turn_until(keeping.loop, [&] { return perch.acknowledged.size() == 2; }));
    perch.offers.erase("/b");
    line.touch("/b");
    REQUIRE(turn_until(keeping.loop, [&] { return keeping.server->count() == 1; }));
    REQUIRE(turn_until(keeping.loop, [&] { return perch.dropped.size() == 1; }));
    CHECK(perch.dropped.front() == "/b");
  }
  Perch next;
  keeper::Line line(keeping.loop, keeping.path, next, next.life);
  line.connect();
  REQUIRE(turn_until(keeping.loop, [&] { return line.connected(); }));
  REQUIRE(next.fetched.size() == 1);
  CHECK(next.fetched[0].key == "/a");
  CHECK(next.fetched[0].facts == "facts of /a");
  CHECK(inode_of_fd(next.fetched[0].fds.at(0).get()) == inode_of_fd(perch.offers["/a"].get()));
}

TEST_CASE("a keeper that comes, goes and comes again is found each time") {
  Keeping keeping;
  keeping.server.reset();
  Perch perch;
  keeper::Line line(keeping.loop, keeping.path, perch, perch.life);
  line.connect();
  REQUIRE_FALSE(perch.troubles.empty());
  CHECK(perch.troubles.front().contains("No such file or directory"));
  for (int i = 1; i <= 2; ++i) {
    auto again = keeper::KeepServer::open(keeping.loop, keeping.log, {.path = keeping.path});
    REQUIRE(again);
    REQUIRE(turn_until(keeping.loop, [&] { return perch.connections == i; }));
    again->reset();
    REQUIRE(turn_until(keeping.loop, [&] { return !line.connected(); }));
    CHECK(perch.troubles.back().contains("ended the connection"));
  }
}

TEST_CASE("what does not speak as a keeper is left, and nothing is given to it") {
  const TemporaryDirectory directory;
  Pretender pretender(directory.path("k"));
  Loop loop;
  Perch perch;
  keeper::Line line(loop, directory.path("k"), perch, perch.life);
  for (const std::string& text :
       {std::string("nonsense"), keeper::end(), keeper::kept("/a"), keeper::refused("not you")}) {
    const auto before = perch.troubles.size();
    line.connect();
    pretender.answer(text);
    REQUIRE(turn_until(loop, [&] { return perch.troubles.size() == before + 1; }));
    CHECK_FALSE(line.connected());
  }
  CHECK(perch.troubles.back() == "not you");
  line.connect();
  pretender.answer(keeper::welcome(true));
  // The same key over and over would never end.
  REQUIRE(send_datagram(pretender.connection.get(), keeper::kept("/a")));
  REQUIRE(send_datagram(pretender.connection.get(), keeper::kept("/a")));
  REQUIRE(turn_until(loop, [&] { return perch.troubles.size() == 5; }));
  CHECK(perch.connections == 0);
}

TEST_CASE("a keeper that never answers costs the patience that it is given, and no more") {
  const TemporaryDirectory directory;
  const Pretender pretender(directory.path("k"));
  Loop loop;
  Perch perch;
  keeper::Line line(loop, directory.path("k"), perch, perch.life);
  line.connect();
  CHECK_FALSE(line.settle(std::chrono::milliseconds(20)));
  CHECK_FALSE(line.connected());
  CHECK(perch.troubles.empty());
}

TEST_CASE("no leave is taken of a keeper that may still have what is in use") {
  const TemporaryDirectory directory;
  Pretender pretender(directory.path("k"));
  Loop loop;
  Perch perch;
  const auto next_of = [&] { return receive_datagram(pretender.connection.get()); };
  keeper::Line line(loop, directory.path("k"), perch, perch.life);
  line.connect();
  pretender.answer(keeper::welcome(true));
  REQUIRE(send_datagram(pretender.connection.get(), keeper::end()));
  REQUIRE(turn_until(loop, [&] { return line.connected(); }));
  for (const std::string& said : {keeper::hello(), keeper::fetch_after("")}) {
    const auto datagram = next_of();
    REQUIRE(datagram);
    CHECK(datagram->payload == said);
  }
  line.touch("/a");
  SUBCASE("it was not told yet what else to drop") {
    line.touch("/b");
    line.leave();
    CHECK(next_of().value().payload == keeper::drop("/a"));
  }
  SUBCASE("it was told all") {
    line.leave();
    CHECK(next_of().value().payload == keeper::drop("/a"));
    CHECK(next_of().value().payload == keeper::bye());
  }
  CHECK(next_of().error() == ReceiveEnd::Closed);
}

TEST_CASE("a keeper that does not answer a request is given up after a while") {
  const TemporaryDirectory directory;
  Pretender pretender(directory.path("k"));
  Loop loop;
  Perch perch;
  keeper::Line line(loop, directory.path("k"), perch, perch.life, std::chrono::milliseconds(20));
  line.connect();
  SUBCASE("its hello") {
    REQUIRE(turn_until(loop, [&] { return !perch.troubles.empty(); }));
  }
  SUBCASE("that it is to keep something") {
    pretender.answer(keeper::welcome(true));
    REQUIRE(send_datagram(pretender.connection.get(), keeper::end()));
    REQUIRE(turn_until(loop, [&] { return line.connected(); }));
    line.touch("/a");
    REQUIRE(turn_until(loop, [&] { return !line.connected(); }));
  }
  CHECK(perch.troubles.front() == "it does not answer");
}

TEST_CASE(
    "a keeper that refuses to keep something stays, and one that says anything else does not") {
  const TemporaryDirectory directory;
  Pretender pretender(directory.path("k"));
  Loop loop;
  Perch perch;
  keeper::Line line(loop, directory.path("k"), perch, perch.life);
  line.connect();
  pretender.answer(keeper::welcome(true));
  for (const std::string& text : {keeper::end(), keeper::refused("no room")}) {
    REQUIRE(send_datagram(pretender.connection.get(), text));
  }
  line.touch("/a");
  REQUIRE(turn_until(loop, [&] { return perch.troubles.size() == 1; }));
  CHECK(line.connected());
  CHECK(perch.troubles.back() == "no room");
  REQUIRE(send_datagram(pretender.connection.get(), "nonsense"));
  line.touch("/a");
  REQUIRE(turn_until(loop, [&] { return perch.troubles.size() == 2; }));
  CHECK_FALSE(line.connected());
}

}  // namespace perch::test
