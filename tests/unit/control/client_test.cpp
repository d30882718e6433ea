// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/client.h"

#include <doctest/doctest.h>

#include <future>

#include "tests/unit/control/fixture.h"

namespace perch::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{30'000};

Result<Response> request_while_served(Served& served, const char* method, const char* target) {
  auto answer =
      std::async(std::launch::async, [&] { return request(served.path, method, target, kLong); });
  CHECK(served.turn_until(
      [&] { return answer.wait_for(milliseconds{0}) == std::future_status::ready; }));
  return answer.get();
}

// Serves one connection, in the test's own thread: connecting and asking need nobody to accept.
class CannedServer {
 public:
  CannedServer() : listener_(*unix_socket(SOCK_STREAM, Blocking::Yes)) {
    const auto address = unix_address(path);
    REQUIRE(::bind(listener_.get(), address->get(), address->size) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
  }
  // The reply to whoever asks for a stream meanwhile.
  Result<LineStream> open_while_saying(std::string_view bytes) {
    auto opening =
        std::async(std::launch::async, [&] { return LineStream::open(path, "/x", kLong); });
    connection_ = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    say(bytes);
    return opening.get();
  }
  void say(std::string_view bytes) const {
    ::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void hang_up() { connection_.reset(); }

  test::TemporaryDirectory directory;
  std::string path = directory.path("canned.sock");

 private:
  UniqueFd listener_;
  UniqueFd connection_;
};

using Line = std::optional<std::string>;

}  // namespace

TEST_CASE("lines are given out as they come, and the stream's end is no error") {
  CannedServer server;
  auto lines = server.open_while_saying("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none\ntw");
  REQUIRE(lines);
  CHECK(lines->status() == 200);
  CHECK(*lines->next(std::nullopt) == Line("one"));
  const auto late = lines->next(std::chrono::steady_clock::now() + milliseconds{10});
  REQUIRE_FALSE(late);
  CHECK(late.error().is(ETIMEDOUT));
  server.say("o\n\nlast");
  server.hang_up();
  for (const char* line : {"two", "", "last"}) CHECK(*lines->next(std::nullopt) == Line(line));
  CHECK(*lines->next(std::nullopt) == std::nullopt);
}

TEST_CASE("a stream that is refused has the status and the reason") {
  CannedServer server;
  auto lines = server.open_while_saying("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n");
  REQUIRE(lines);
  CHECK(lines->status() == 403);
  CHECK(*lines->next(std::nullopt) == Line("no"));
}

TEST_CASE("what is no HTTP is no stream") {
  CannedServer server;
  CHECK_FALSE(server.open_while_saying("220 mail.example\r\n\r\n"));
}

TEST_CASE("a line without an end is given up") {
  CannedServer server;
  auto lines = server.open_while_saying("HTTP/1.1 200 OK\r\n\r\n");
  REQUIRE(lines);
  auto talking = std::async(std::launch::async, [&] {
    const std::string much(64U << 10U, 'x');
    for (int i = 0; i < 20; ++i) server.say(much);
  });
  const auto line = lines->next(std::nullopt);
  CHECK_FALSE(line);
  lines = std::unexpected(Error::message("hung up"));
  talking.get();
}

TEST_CASE("a request brings the status and the whole body") {
  Served served;
  served.target.current.perch.config = std::string(3U << 20U, 'x');
  const auto response = request_while_served(served, "GET", "/v1/status");
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->body == to_json(served.target.current) + "\n");
  served.target.broken = "no";
  CHECK(request_while_served(served, "POST", "/v1/reload")->status == 422);
}

TEST_CASE("an answer that does not come is waited for no longer than asked") {
  const test::TemporaryDirectory directory;
  const auto path = directory.path("mute.sock");
  auto mute = unix_socket(SOCK_STREAM, Blocking::No);
  const auto address = unix_address(path);
  REQUIRE(::bind(mute->get(), address->get(), address->size) == 0);
  REQUIRE(::listen(mute->get(), 0) == 0);
  const auto unanswered = request(path, "GET", "/livez", milliseconds{50});
  REQUIRE_FALSE(unanswered);
  CHECK(unanswered.error().is(ETIMEDOUT));
  // Now the backlog is full: connect itself would wait.
  const auto waiting = unix_connect(path, SOCK_STREAM, Blocking::No);
  const auto unconnected = request(path, "GET", "/livez", milliseconds{50});
  REQUIRE_FALSE(unconnected);
  CHECK(unconnected.error().is(ETIMEDOUT));
}

TEST_CASE("nobody there is an error that says what failed") {
  const test::TemporaryDirectory directory;
  const auto missing = request(directory.path("none.sock"), "GET", "/livez", kLong);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().is(ENOENT));
  CHECK_FALSE(request("/tmp/" + std::string(200, 'x'), "GET", "/livez", kLong));
}

}  // namespace perch::control
