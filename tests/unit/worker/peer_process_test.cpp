// SPDX-License-Identifier: Apache-2.0
// perch-peer as a process: what it was started with, and what it does not keep of it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/peer_world.h"

namespace perch::test {

TEST_CASE("what is printed never lands in a file, even where nothing is open to print to") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const std::string path = "/data?size=1000000";
  const auto got =
      run({.argv = {"sh", "-c", R"(exec "$@" <&- >&- 2>&-)", "sh", from_build("PERCH_PEER"), "get",
                    origin.url(path), "-O", world.path("out"), "--socket", world.socket()}});
  CHECK(got.ending == exited(0));
  CHECK(sha256_of(world.path("out")) == origin.sha256_of(path));
}

TEST_CASE("a log that nobody reads any more does not keep the peer from draining") {
  const PeerWorld world;
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  UniqueFd reader(pipe[0]);
  const UniqueFd log(pipe[1]);
  Process peer({.argv = {from_build("PERCH_PEER"), "serve", "--store", world.path("store"),
                         "--socket", world.path("alone.sock")},
                .fds = {{STDERR_FILENO, log.get()}}});
  REQUIRE(wait_until([&] { return std::filesystem::exists(world.path("alone.sock")); }));
  reader.reset();
  peer.signal(SIGTERM);
  CHECK(peer.wait() == exited(0));
}

TEST_CASE("the peer takes nothing of what a disk keeps back for root, nor above a quota") {
  if (!have(is_root(), "needs root: others have no such right")) return;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const auto effective = std::stoull(status_field(peer->process().pid(), "CapEff"), nullptr, 16);
  CHECK((effective >> unsigned{CAP_SYS_RESOURCE} & 1U) == 0);
}

}  // namespace perch::test
