// SPDX-License-Identifier: Apache-2.0
// perch-peer, the client's commands, where a peer's answers break or are not all there is.
#include <doctest/doctest.h>

#include "common/posix/file.h"
#include "tests/unit/worker/scripted_peer.h"

namespace perch::test {
namespace {

const grpc::Status kKilled(grpc::UNAVAILABLE, "Socket closed");

}  // namespace

TEST_CASE("a call that breaks once all has come is not made again") {
  ScriptedPeer peer;
  peer.download = [](const ScriptedPeer::Call& call) {
    const std::string content = "12345678";
    const bool sent = call.starts(content, {{"etag", "\"a\""}}) && call.sends(content, 0) &&
                      call.sends(content, 1);
    return sent ? kKilled : grpc::Status::CANCELLED;
  };
  const auto got = run(peer.get());
  CHECK_MESSAGE(got.ending == exited(0), got.err);
  CHECK(peer.calls() == 1);
  CHECK(read_file(peer.path("here/data")).value() == "12345678");
}

}  // namespace perch::test
