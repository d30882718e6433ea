// SPDX-License-Identifier: Apache-2.0
// perch-peer, the client's commands, where a peer's answers break or are not all there is.
#include <doctest/doctest.h>

#include <algorithm>

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

TEST_CASE("pieces of versions that one field alone tells apart are not joined") {
  using Fields = std::map<std::string, std::string>;
  Fields first{{"etag", "W/\"a\""}, {"last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"}};
  Fields second = first;
  SUBCASE("a weak ETag") { second["etag"] = "W/\"b\""; }
  SUBCASE("the date, beside an ETag") {
    first["etag"] = second["etag"] = "\"a\"";
    second["last-modified"] = "Fri, 02 Jan 2026 00:00:00 GMT";
  }
  SUBCASE("the encoding") { second["content-encoding"] = "gzip"; }
  ScriptedPeer peer;
  peer.download = [&](const ScriptedPeer::Call& call) {
    const bool later = call.number > 1;
    const std::string content = later ? "abcdefgh" : "12345678";
    if (!call.starts(content, later ? second : first)) return grpc::Status::CANCELLED;
    for (std::uint32_t piece = call.download.range().start() == 0 ? 0 : 1;
         piece < (later ? 2U : 1U); ++piece) {
      (void)call.sends(content, piece);
    }
    return later ? grpc::Status::OK : kKilled;
  };
  const auto got = run(peer.get());
  CHECK_MESSAGE(got.ending == exited(0), got.err);
  CHECK(read_file(peer.path("here/data")).value() == "abcdefgh");
}

TEST_CASE("a task that is gone when rm asks again was removed") {
  ScriptedPeer peer;
  const grpc::Status gone(grpc::NOT_FOUND, "not stored here");
  const std::string id(64, '0');
  peer.remove = [&](int number) { return number == 1 ? kKilled : gone; };
  CHECK(run(peer.client({"rm", id})).ending == exited(0));
  CHECK(peer.calls() == 2);
  CHECK(run(peer.client({"rm", id})).ending == exited(6));  // its first call finds nothing
}

TEST_CASE("a beginning is not taken for unmistakable while the peer leaves out tasks") {
  ScriptedPeer peer;
  bool some_left_out = true;
  peer.list = [&](grpc::ServerContext& context, dfdaemon::v2::ListLocalTasksResponse& response) {
    response.add_tasks()->set_task_id(std::string(64, 'a'));
    if (some_left_out) context.AddTrailingMetadata("perch-left-out", "7");
  };
  peer.remove = [](int /*number*/) { return grpc::Status::OK; };
  const auto refused = run(peer.client({"rm", "aaaa"}));
  CHECK(refused.ending == exited(6));
  CHECK(refused.err.contains("7 tasks that the peer does not list"));
  CHECK(peer.calls() == 0);
  some_left_out = false;
  CHECK(run(peer.client({"rm", "aaaa"})).ending == exited(0));
}

TEST_CASE("ls has time for each task, not for all of them together") {
  ScriptedPeer peer;
  peer.stat_takes = std::chrono::milliseconds(800);
  peer.list = [](grpc::ServerContext& /*context*/, dfdaemon::v2::ListLocalTasksResponse& response) {
    for (const char digit : {'a', 'b', 'c', 'd'}) {
      response.add_tasks()->set_task_id(std::string(64, digit));
    }
  };
  const auto listed = run(peer.client({"ls", "--timeout", "3"}));
  CHECK_MESSAGE(listed.ending == exited(0), listed.err);
  CHECK(std::ranges::count(listed.out, '\n') == 4);
}

}  // namespace perch::test
