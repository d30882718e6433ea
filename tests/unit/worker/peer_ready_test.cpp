// SPDX-License-Identifier: Apache-2.0
// When the peer tells perch that it serves: perch is the test.
#include <doctest/doctest.h>
#include <fcntl.h>

#include "common/posix/file.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/peer_world.h"
#include "worker/peer/service/own_listener.h"

namespace perch::test {
namespace {

// The loop's own answers, over the socket at that path.
bool answers_prometheus(const std::string& socket) {
  return run({.argv = {"curl", "-sf", "--unix-socket", socket, "http://peer/metrics"}}).ending ==
         exited(0);
}

bool answers_clients(const std::string& socket) {
  const auto tasks = run({.argv = {from_build("PERCH_PEER"), "ls", "--socket", socket}});
  return tasks.ending == exited(0);
}

}  // namespace

TEST_CASE("the peer is not ready before it has a listener for its clients") {
  const PeerWorld world;
  RunningPeer peer(world.peer_options());
  const UniqueFd metrics = peer::own_listener(world.path("metrics")).value();
  peer.hand_over("metrics", {metrics.get()});
  CHECK(answers_prometheus(world.path("metrics")));
  CHECK_FALSE(peer.has_said("READY", "1"));
  peer.hand_over("peer", {world.listener()});
  CHECK(peer.says("READY", "1"));
  CHECK(answers_clients(world.socket()));
}

TEST_CASE("the peer serves all listeners that it is handed together") {
  const PeerWorld world;
  RunningPeer peer(world.peer_options());
  const UniqueFd second = peer::own_listener(world.path("second")).value();
  peer.hand_over("peer:second", {world.listener(), second.get()});
  CHECK(peer.says("READY", "1"));
  CHECK(answers_clients(world.socket()));
  CHECK(answers_clients(world.path("second")));
  CHECK_FALSE(peer.has_said("READY", "1"));
}

TEST_CASE("a listener that cannot be polled keeps the peer from being ready, and ends it") {
  const PeerWorld world;
  RunningPeer peer(world.peer_options());
  const UniqueFd null = open_file("/dev/null", O_RDWR).value();
  peer.hand_over("peer:second", {world.listener(), null.get()});
  CHECK(peer.process().wait() == exited(1));
  CHECK(peer.process().err().contains("listener second: "));
  CHECK_FALSE(peer.has_said("READY", "1"));
}

TEST_CASE("a listener that cannot be polled and comes later is told, and the others are served") {
  const PeerWorld world;
  const auto peer = world.start_peer();
  const UniqueFd null = open_file("/dev/null", O_RDWR).value();
  peer->hand_over("second", {null.get()});
  CHECK(wait_until([&] { return peer->process().err().contains("listener second: "); }));
  CHECK(answers_clients(world.socket()));
}

}  // namespace perch::test
