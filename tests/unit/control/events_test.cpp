// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "supervisor/control/event_stream.h"
#include "tests/unit/control/fixture.h"

namespace perch::control {
namespace {

using std::chrono::milliseconds;

void add(Served& served, std::size_t count, const std::string& message = "") {
  for (std::size_t i = 0; i < count; ++i) {
    served.target.log.add({.type = Event::Type::Reloaded, .message = message});
  }
}

std::vector<std::uint64_t> ids(const std::vector<std::string>& lines) {
  std::vector<std::uint64_t> ids;
  for (const std::string& line : lines) ids.push_back(nlohmann::json::parse(line).at("id"));
  return ids;
}

bool without_gap(const std::vector<std::uint64_t>& ids, std::uint64_t first) {
  for (const std::uint64_t id : ids) {
    if (id != first++) return false;
  }
  return true;
}

RawClient follower_of(const Served& served, const std::string& since = "0") {
  RawClient client(served.path);
  client.send("GET /v1/events?follow=1&since=" + since + " HTTP/1.1\r\n\r\n");
  return client;
}

}  // namespace

TEST_CASE("events come as lines, all that are kept or those after one") {
  Served served;
  CHECK(served.ask("GET", "/v1/events").find("Content-Length: 0\r\n") != std::string::npos);
  add(served, 3, "perch.toml: \"x\"");
  const auto lines = [&](const char* target) {
    RawClient client(served.path);
    client.send(std::string("GET ") + target + " HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(served.turn_until([&] { return client.closed(); }));
    CHECK(client.received_text("Content-Type: application/x-ndjson\r\n"));
    return client.lines();
  };
  CHECK(ids(lines("/v1/events")) == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(ids(lines("/v1/events?since=2")) == std::vector<std::uint64_t>{3});
  CHECK(ids(lines("/v1/events?since=2&follow=0")) == std::vector<std::uint64_t>{3});
  CHECK(lines("/v1/events?since=3").empty());
  CHECK(lines("/v1/events").at(0) == to_json(served.target.log.kept().front()));
}

TEST_CASE("an event that is not yet there belongs to an earlier perch, and that is said") {
  Served served;
  add(served, 3);
  for (const auto* target : {"/v1/events?since=4", "/v1/events?since=4&follow=1",
                             "/v1/events?since=18446744073709551615"}) {
    CHECK(served.ask("GET", target).starts_with("HTTP/1.1 410 "));
  }
}

TEST_CASE("of many events the last are kept") {
  Served served;
  add(served, EventLog::kCapacity + 20);
  RawClient client(served.path);
  client.send("GET /v1/events?since=5 HTTP/1.1\r\nConnection: close\r\n\r\n");
  CHECK(served.turn_until([&] { return client.closed(); }));
  const auto numbers = ids(client.lines());
  CHECK(numbers.size() == EventLog::kCapacity);
  CHECK(without_gap(numbers, 21));
}

TEST_CASE("a follower has what was and what comes, until he hangs up") {
  Served served;
  add(served, 3);
  auto client = std::make_unique<RawClient>(follower_of(served, "1"));
  CHECK(served.turn_until([&] { return client->lines().size() == 2; }));
  CHECK(client->received_text("Connection: close\r\n"));
  CHECK_FALSE(client->received_text("Content-Length"));
  CHECK(served.target.log.followers() == 1);
  for (std::size_t i = 3; i < 40; ++i) {
    add(served, 1);
    CHECK(served.turn_until([&] { return client->lines().size() == i; }));
  }
  add(served, 300);  // at once
  CHECK(served.turn_until([&] { return client->lines().size() == 339; }));
  CHECK(without_gap(ids(client->lines()), 2));
  client.reset();
  CHECK(served.turn_until([&] { return served.target.log.followers() == 0; }));
  add(served, 1);
}

TEST_CASE("a follower has no deadline, an idle connection beside him has") {
  Served served({.connections = 4, .time = milliseconds{20}});
  RawClient follower = follower_of(served);
  CHECK(served.turn_until([&] { return follower.received_text("200 OK"); }));
  for (int i = 0; i < 3; ++i) CHECK(served.ask("").empty());  // each took the whole time
  add(served, 1);
  CHECK(served.turn_until([&] { return follower.lines().size() == 1; }));
}

TEST_CASE("a follower who does not read is dropped when he would miss an event") {
  Served served;
  RawClient deaf = follower_of(served);
  CHECK(served.turn_until([&] { return served.target.log.followers() == 1; }));
  const std::string long_message(2'000, 'x');
  // His socket's buffer, and then the list of events, fill up.
  std::size_t added = 0;
  CHECK(served.turn_until([&] {
    add(served, 50, long_message);
    added += 50;
    return served.target.log.followers() == 0;
  }));
  CHECK(added > EventLog::kCapacity);
  CHECK(served.turn_until([&] { return deaf.closed(); }));
  auto lines = deaf.lines();
  lines.pop_back();  // cut in half, perhaps
  CHECK(lines.size() > 10);
  CHECK(without_gap(ids(lines), 1));
  CHECK(served.ask("GET", "/livez").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a slow follower who keeps up misses nothing") {
  Served served;
  RawClient slow = follower_of(served);
  CHECK(served.turn_until([&] { return served.target.log.followers() == 1; }));
  const std::string long_message(2'000, 'x');
  for (std::size_t round = 1; round <= 8; ++round) {
    add(served, EventLog::kCapacity - 100, long_message);  // more than a socket holds
    served.loop.run_pending();
    CHECK(served.turn_until(
        [&] { return slow.lines().size() == round * (EventLog::kCapacity - 100); }));
  }
  CHECK(without_gap(ids(slow.lines()), 1));
}

TEST_CASE("followers are few, so that others get their answers") {
  Served served;
  std::vector<RawClient> followers;
  for (std::size_t i = 0; i < kMaxFollowers; ++i) followers.push_back(follower_of(served));
  CHECK(served.turn_until([&] { return served.target.log.followers() == kMaxFollowers; }));
  RawClient another = follower_of(served);
  CHECK(served.turn_until([&] { return another.received_text("503"); }));
  // Nor does who sleeps push them out.
  std::vector<std::unique_ptr<RawClient>> sleepers;
  for (int i = 0; i < 100; ++i) {
    sleepers.push_back(std::make_unique<RawClient>(served.path));
    served.loop.run_pending();
  }
  CHECK(served.ask("GET", "/livez").starts_with("HTTP/1.1 200 "));
  add(served, 1);
  for (auto& follower : followers) {
    CHECK(served.turn_until([&] { return follower.lines().size() == 1; }));
  }
  followers.clear();
  CHECK(served.turn_until([&] { return served.target.log.followers() == 0; }));
}

TEST_CASE("a follower who talks on is not listened to, and costs the others nothing") {
  Served served;
  RawClient chatty = follower_of(served);
  CHECK(served.turn_until([&] {
    chatty.send(std::string(1U << 20U, 'x'));
    return served.target.log.followers() == 1;
  }));
  for (int i = 0; i < 20; ++i) {
    chatty.send(std::string(1U << 20U, 'x'));
    CHECK(served.ask("GET", "/livez").starts_with("HTTP/1.1 200 "));
  }
  add(served, 1);
  CHECK(served.turn_until([&] { return chatty.lines().size() == 1; }));
}

TEST_CASE("HEAD of a stream has its header and an end") {
  Served served;
  const auto reply = served.ask("HEAD", "/v1/events?follow=1");
  CHECK(reply.starts_with("HTTP/1.1 200 "));
  CHECK(reply.ends_with("\r\n\r\n"));
  CHECK(served.target.log.followers() == 0);
}

}  // namespace perch::control
