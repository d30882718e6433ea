// SPDX-License-Identifier: Apache-2.0
// What downloads share: each other, connections, rates.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>

#include "common/value/unique_fd.h"
#include "tests/unit/worker/download_world.h"

namespace perch::test {
namespace {

using Kind = peer::Failure::Kind;
using std::chrono::duration;
using std::chrono::steady_clock;

constexpr std::uint64_t kSize = 1'000'000;
const std::string kData = "/data?size=1000000";

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return duration<double>(steady_clock::now() - begun_).count();
  }

 private:
  steady_clock::time_point begun_ = steady_clock::now();
};

// The most that a rate lets through, with what its connections may have over it.
double bound(std::uint64_t rate, const Stopwatch& since, std::uint64_t connections) {
  const double burst = duration<double>(peer::TokenBucket::kBurst).count();
  return static_cast<double>(rate) * (since.seconds() + burst) +
         static_cast<double>(connections * (16U << 10U));
}

int receive_buffer(int socket) {
  int size = 0;
  socklen_t length = sizeof size;
  REQUIRE(::getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, &length) == 0);
  return size;
}

// Of a socket that asked for so much.
int receive_buffer_when_asked(int size) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
  return receive_buffer(socket.get());
}

// Of each connection that this process has to the port.
std::vector<int> receive_buffers_to(const std::string& port) {
  std::vector<int> sizes;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    sockaddr_in there{};
    socklen_t length = sizeof there;
    const bool connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&there), &length) == 0;
    if (connected && there.sin_family == AF_INET && ntohs(there.sin_port) == std::stoi(port)) {
      sizes.push_back(receive_buffer(fd));
    }
  }
  return sizes;
}

}  // namespace

TEST_CASE("unless told otherwise a task has 4 connections, and all tasks together have 16") {
  int tasks = 0;
  int connections = 0;
  SUBCASE("one task") {
    tasks = 1;
    connections = 4;
  }
  SUBCASE("tasks that would like to have 20") {
    tasks = 5;
    connections = 16;
  }
  const OriginServer origin({"--rate", "4000000"});
  DownloadWorld world;
  std::vector<std::unique_ptr<DownloadCaller>> callers;
  for (int number = 0; number < tasks; ++number) {
    callers.push_back(world.join(origin.url(kData + "&seed=" + std::to_string(number))));
  }
  for (const auto& caller : callers) {
    REQUIRE(world.run_until([&] { return caller->ended(); }));
    CHECK(caller->failure() == std::nullopt);
  }
  CHECK(origin.stats()["connections"] == connections);
}

TEST_CASE("what a kill can lose of a connection is small: its receive buffer is of 128 KiB") {
  const OriginServer origin({"--rate", "1000000"});
  DownloadWorld world;
  const auto caller = world.join(origin.url(kData));
  REQUIRE(world.run_until([&] { return caller->bytes_stored() > 0; }));
  const auto sizes = receive_buffers_to(origin.port());
  CHECK_FALSE(sizes.empty());
  CHECK(std::ranges::count(sizes, receive_buffer_when_asked(128 << 10)) == std::ssize(sizes));
}

TEST_CASE("64 callers of one task share one download") {
  const OriginServer origin;
  DownloadWorld world;
  std::vector<std::unique_ptr<DownloadCaller>> callers;
  for (int number = 0; number < 64; ++number) callers.push_back(world.join(origin.url(kData)));
  for (const auto& caller : callers) {
    REQUIRE(world.run_until([&] { return caller->ended(); }));
    CHECK(caller->failure() == std::nullopt);
  }
  CHECK(world.traffic().downloads_started == 1);
  CHECK(world.traffic().downloads_finished == 1);
  CHECK(origin.bytes_sent() == kSize + 1);
  CHECK(origin.stats()["requests"] == world.traffic().origin_requests);
  CHECK(callers.back()->sha256() == origin.sha256_of(kData));
}

TEST_CASE("a download that nobody waits for any more stops, and is not in use") {
  const OriginServer origin({"--rate", "1000000"});
  DownloadWorld world;
  const auto spec = DownloadWorld::spec(origin.url(kData + "0"));
  auto caller = std::make_unique<DownloadCaller>(world.downloads(), spec);
  CHECK(world.downloads().in_use(spec.id));
  REQUIRE(world.run_until([&] { return caller->bytes_stored() > 100'000; }));
  caller.reset();
  CHECK_FALSE(world.downloads().in_use(spec.id));
  const std::uint64_t received = world.traffic().origin_bytes;
  // What is on its way ends in nobody's socket.
  std::uint64_t sent = 0;
  CHECK(world.run_until([&] { return std::exchange(sent, origin.bytes_sent()) == sent; }));
  CHECK(sent < 10 * kSize);
  CHECK(world.traffic().origin_bytes == received);
}

TEST_CASE("a task that is removed ends its callers, and the next one begins anew") {
  const OriginServer origin({"--rate", "2000000"});
  DownloadWorld world;
  const std::string url = origin.url(kData);
  const auto caller = world.join(url);
  REQUIRE(world.run_until([&] { return caller->bytes_stored() > 100'000; }));
  REQUIRE(world.downloads().discard(DownloadWorld::spec(url).id).has_value());
  CHECK(caller->failure() == Kind::Changed);
  const auto next = world.get(url);
  CHECK(next->failure() == std::nullopt);
  CHECK(next->sha256() == origin.sha256_of(kData));
  CHECK(world.traffic().resumed_bytes == 0);
}

TEST_CASE("a task gets through although another one has all connections") {
  const OriginServer origin({"--rate", "1000000"});
  const OriginServer other;
  DownloadWorld world({.connections_per_task = 2, .connections_in_all = 2});
  const auto greedy = world.join(origin.url("/data?size=100000000"));
  REQUIRE(world.run_until([&] { return greedy->bytes_stored() > 200'000; }));
  const auto late = world.get(other.url(kData));
  CHECK(late->failure() == std::nullopt);
  CHECK_FALSE(greedy->ended());
  // What it gave up it has again.
  const std::uint64_t before = greedy->bytes_stored();
  CHECK(world.run_until([&] { return greedy->bytes_stored() > before + 200'000; }));
}

TEST_CASE("one task's rate is kept") {
  const OriginServer origin;
  constexpr std::uint64_t kRate = 1'000'000;
  DownloadWorld world({.rate_per_task = kRate});
  const Stopwatch since;
  const auto caller = world.join(origin.url(kData));
  while (!caller->ended()) {
    REQUIRE(world.run_until([&, before = world.traffic().origin_bytes] {
      return world.traffic().origin_bytes != before || caller->ended();
    }));
    REQUIRE(static_cast<double>(world.traffic().origin_bytes) <= bound(kRate, since, 4));
  }
  CHECK(caller->sha256() == origin.sha256_of(kData));
}

TEST_CASE("the rate of all tasks together is kept, and none of them waits for another's end") {
  const OriginServer origin;
  constexpr std::uint64_t kRate = 1'000'000;
  DownloadWorld world({.rate_in_all = kRate});
  const Stopwatch since;
  const auto one = world.join(origin.url(kData + "&seed=1"));
  const auto other = world.join(origin.url(kData + "&seed=2"));
  REQUIRE(world.run_until([&] { return one->bytes_stored() > 0 && other->bytes_stored() > 0; }));
  CHECK_FALSE(one->ended());
  CHECK_FALSE(other->ended());
  REQUIRE(world.run_until([&] { return one->ended() && other->ended(); }));
  CHECK(static_cast<double>(world.traffic().origin_bytes) <= bound(kRate, since, 8));
  CHECK(one->sha256() == origin.sha256_of(kData + "&seed=1"));
  CHECK(other->sha256() == origin.sha256_of(kData + "&seed=2"));
}

}  // namespace perch::test
