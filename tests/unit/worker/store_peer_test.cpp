// SPDX-License-Identifier: Apache-2.0
// What the running peer does with its store.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/worker/peer_world.h"

namespace perch::test {

namespace fs = std::filesystem;

TEST_CASE("the peer removes at its start what is too much, and what is no task, and says so") {
  const OriginServer origin;
  const PeerWorld world;
  const std::string half_made = world.path("store/tasks/" + std::string(64, '0'));
  {
    const auto peer = world.start_peer();
    common::v2::Download request;
    request.set_url(origin.url("/data?size=100000"));
    REQUIRE(download(world.connect(), request).status.ok());
    request.set_url(origin.url("/data?size=200000"));
    REQUIRE(download(world.connect(), request).status.ok());
  }
  fs::create_directory(half_made);
  std::ofstream(world.path("store/tasks/notes.txt")) << "mine";

  const auto peer = world.start_peer({"--store-max", "250KiB", "--store-age", "1d"});
  const auto says = [&](const std::string& text) {
    return wait_until([&] { return peer->process().err().find(text) != std::string::npos; });
  };
  CHECK(says("(100000 bytes)"));
  CHECK(says("notes.txt: not a task's directory: left alone"));
  CHECK(says("2 tasks (2 finished), 2 pieces and 293.0 KiB found"));
  CHECK(wait_until([&] { return world.stored_pieces() == 1; }));
  CHECK_FALSE(fs::exists(half_made));
}

}  // namespace perch::test
