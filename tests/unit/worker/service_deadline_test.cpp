// SPDX-License-Identifier: Apache-2.0
// Nothing is downloaded that nobody waits for any more, whoever it was that set the time.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/unit/worker/service_scene.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

using std::chrono::seconds;

// A download that takes longer than any test waits; its first pieces come at once.
struct SlowScene {
  static constexpr std::uint64_t kSize = 200'000'000;
  static constexpr std::uint64_t kPiece = 64U << 10U;

  SlowScene() {
    request.set_url(origin.url("/data?size=" + std::to_string(kSize)));
    request.set_piece_length(kPiece);
  }
  // The origin sends nothing any more, in the middle of the file.
  [[nodiscard]] bool is_dropped() const {
    return wait_until([&] { return origin.stats()["sending"] == 0; }) &&
           origin.bytes_sent() < kSize;
  }

  OriginServer origin{{"--rate", "4000000"}};
  PeerWorld world;
  std::unique_ptr<RunningPeer> peer = world.start_peer();
  common::v2::Download request;
};

}  // namespace

TEST_CASE("a request's own timeout ends its call, and the download that nobody else wants") {
  SlowScene scene;
  scene.request.mutable_timeout()->set_seconds(1);
  const auto answer = download(scene.world.connect(), scene.request);
  CHECK(answer.status.error_code() == grpc::DEADLINE_EXCEEDED);
  CHECK(answer.status.error_message() == "the request's timeout is over");
  CHECK(answer.started.has_value());
  CHECK(scene.is_dropped());
}

TEST_CASE("a client's deadline ends the download, and what came stays in the store") {
  const SlowScene scene;
  SUBCASE("who says so himself") {
    const auto answer = download(scene.world.connect(), scene.request, seconds(1));
    CHECK(answer.status.error_code() == grpc::DEADLINE_EXCEEDED);
  }
  SUBCASE("who only said it when he asked") {
    const RawClient client(scene.world);
    client.send(h2_greeting());
    client.send(h2_download(1, scene.request, "1S"));
    REQUIRE(wait_until([&] { return scene.world.stored_pieces() > 0; }));
    CHECK(scene.is_dropped());
  }
  CHECK(scene.is_dropped());
  CHECK(scene.world.stored_pieces() > 0);
  CHECK(serves(scene.world));
}

TEST_CASE("get whose time is over ends with 4, leaves nothing behind, and ends the download") {
  const SlowScene scene;
  const std::string here = scene.world.path("here");
  fs::create_directory(here);
  const auto got = run(scene.world.get(scene.request.url(), here + "/out", {"--timeout", "1"}));
  CHECK(got.ending == exited(4));
  CHECK(got.err.contains("not done in 1 s"));
  CHECK(fs::is_empty(here));
  CHECK(scene.is_dropped());
}

}  // namespace perch::test
