// SPDX-License-Identifier: Apache-2.0
// Origins that are slow, and limits of our own, which are no fault of theirs.
#include <doctest/doctest.h>

#include "tests/unit/worker/download_world.h"

namespace perch::test {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kSize = 1'000'000;
const std::string kData = "/data?size=1000000";
// No connection here brings as much, so that each is slow that lasts.
constexpr std::uint64_t kFast = 1U << 30U;

}  // namespace

TEST_CASE("an origin that stops in the middle is asked for the rest, and the file is whole") {
  const OriginServer origin;
  DownloadWorld world({.connections_per_task = 1, .slow_rate = kFast, .slow_time = seconds(1)});
  // The question what the file is, then the answer that stops.
  const auto caller = world.get(origin.url(kData + "&stall=20000&first=2"));
  CHECK(caller->failure() == std::nullopt);
  const auto ranges = origin.stats()["ranges"];
  CHECK(ranges[1] == nlohmann::json{0, kTestPiece});
  CHECK(ranges[2] == nlohmann::json{20'000, kTestPiece});
  CHECK(world.traffic().origin_errors == 1);
  CHECK(world.traffic().origin_bytes == kSize + 1);
  CHECK(world.traffic().refetched_bytes == 0);
  CHECK(caller->sha256() == origin.sha256_of(kData));
}

TEST_CASE("an origin that drips is as slow as one that stops") {
  const OriginServer origin({"--rate", "100000"});
  DownloadWorld world({.slow_rate = kFast, .slow_time = seconds(1)});
  const auto caller = world.join(origin.url(kData + "&ranges=no"));
  CHECK(world.run_until([&] { return world.traffic().origin_errors > 0; }));
  CHECK_FALSE(caller->ended());
}

TEST_CASE("what our own rates leave to a connection does not count as slow") {
  peer::DownloadOptions options{.slow_rate = kFast, .slow_time = seconds(1)};
  SUBCASE("of the task") { options.rate_per_task = kSize / 3; }
  SUBCASE("of all tasks") { options.rate_in_all = kSize / 3; }
  const OriginServer origin;
  DownloadWorld world(options);
  // In one answer, so that it lasts long enough to be found slow.
  const auto caller = world.get(origin.url(kData + "&ranges=no"));
  CHECK(caller->failure() == std::nullopt);
  CHECK(world.traffic().origin_errors == 0);
  CHECK(caller->sha256() == origin.sha256_of(kData));
}

}  // namespace perch::test
