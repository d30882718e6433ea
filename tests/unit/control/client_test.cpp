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

}  // namespace

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
