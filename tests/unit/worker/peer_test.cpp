// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "common/posix/file.h"
#include "common/value/human.h"
#include "tests/unit/worker/peer_world.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1U << 20U;

common::v2::Download request_for(const std::string& url) {
  common::v2::Download request;
  request.set_url(url);
  return request;
}

// What curl gets from the origin itself.
std::string sha256_at_origin(const PeerWorld& world, const std::string& url) {
  const std::string file = world.path("expected");
  REQUIRE(run({.argv = {"curl", "-sS", "-o", file, url}}).ending == exited(0));
  return sha256_of(file);
}

// One unary call by name, without generated code: the status, and the answer's bytes.
std::pair<grpc::Status, std::string> call_by_name(const PeerWorld& world, const std::string& method,
                                                  const std::string& message = {}) {
  grpc::GenericStub stub(world.connect());
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(message);
  const grpc::ByteBuffer question(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, question, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (answer.Valid() && answer.Dump(&slices).ok()) {
    for (const auto& part : slices) {
      bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  return {status, bytes};
}

}  // namespace

TEST_CASE("a call brings the layout, then every piece once, then OK") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  auto request = request_for(origin.url("/data?size=9000000&seed=x"));
  request.set_need_piece_content(true);
  const auto answer = download(world.connect(), request);
  REQUIRE(answer.status.ok());
  REQUIRE(answer.started.has_value());
  CHECK(answer.started->content_length() == 9000000);
  CHECK(answer.started->pieces_size() == 3);
  CHECK(answer.started->response_header().at("etag") == "\"x-9000000\"");
  REQUIRE(answer.pieces.size() == 3);

  std::string content(9000000, '\0');
  for (const auto& piece : answer.pieces) {
    CHECK(piece.content().size() == piece.length());
    content.replace(piece.offset(), piece.length(), piece.content());
  }
  write_text(world.path("content"), content);
  CHECK(sha256_of(world.path("content")) == sha256_at_origin(world, request.url()));

  // A second call is served from the store.
  const std::uint64_t sent = origin.bytes_sent();
  const auto again = download(world.connect(), request);
  CHECK(again.status.ok());
  CHECK(again.started->is_finished());
  CHECK(again.pieces.size() == 3);
  CHECK(origin.bytes_sent() == sent);
}

TEST_CASE("an origin without ranges, behind a redirect, is downloaded in one go") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const std::string url = origin.url("/data?size=9000000&ranges=no&redirect=1");
  const auto got = run(world.get(url, world.path("out")));
  CHECK(got.ending == exited(0));
  CHECK(sha256_of(world.path("out")) == sha256_at_origin(world, origin.url("/data?size=9000000")));
}

TEST_CASE("an origin that fails now and then is asked again") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const auto answer =
      download(world.connect(), request_for(origin.url("/data?size=5000000&fail=2")));
  CHECK(answer.status.ok());
  CHECK(answer.pieces.size() == 2);
}

TEST_CASE("two calls for one task share one download") {
  const OriginServer origin({"--rate", "8000000"});
  const PeerWorld world;
  const auto peer = world.start_peer();
  const std::string url = origin.url("/data?size=6000000");
  Process first(world.get(url, world.path("first")));
  Process second(world.get(url, world.path("second")));
  CHECK(first.wait() == exited(0));
  CHECK(second.wait() == exited(0));
  CHECK(sha256_of(world.path("first")) == sha256_of(world.path("second")));
  // One byte more: the question what the file is.
  CHECK(origin.bytes_sent() == 6000001);
}

TEST_CASE("a killed peer goes on where it was: what it has is not fetched again") {
  const OriginServer origin({"--rate", "40000000"});
  const PeerWorld world;
  auto peer = world.start_peer();
  constexpr std::uint64_t kSize = 16 * 4 * kMiB;
  const std::string url = origin.url("/data?size=" + std::to_string(kSize));
  Process client(world.get(url, world.path("out")));
  REQUIRE(wait_until([&] { return world.stored_pieces() >= 4; }));
  peer->kill();
  const std::uint64_t pieces = world.stored_pieces();
  REQUIRE(pieces < 16);
  const std::uint64_t bytes = world.stored_bytes();
  REQUIRE(bytes >= pieces * 4 * kMiB);
  // What the dead connections still send counts too: wait until the origin has noticed.
  std::uint64_t sent = origin.bytes_sent();
  CHECK(wait_until([&] { return std::exchange(sent, origin.bytes_sent()) == sent; }));

  peer = world.start_peer();
  CHECK(client.wait() == exited(0));
  CHECK(peer->process().err().contains(
      fmt::format("1 tasks (0 finished), {} pieces and {} found", pieces, human_bytes(bytes))));
  // Of the missing pieces what was missing, and one byte to ask what the file is.
  CHECK(origin.bytes_sent() - sent <= kSize - (pieces * 4 * kMiB) + 1);
  CHECK(sha256_of(world.path("out")) == sha256_at_origin(world, url));
}

TEST_CASE("a damaged piece is fetched again, the others are not") {
  const OriginServer origin;
  const PeerWorld world;
  auto peer = world.start_peer();
  const std::string url = origin.url("/data?size=12582912");
  const auto answer = download(world.connect(), request_for(url));
  REQUIRE(answer.status.ok());
  peer->kill();
  const std::uint64_t sent = origin.bytes_sent();
  {
    const auto data = open_file(world.path("store/tasks/" + answer.task_id + "/data"), O_WRONLY);
    REQUIRE(::pwrite(data->get(), "!", 1, 5'000'000) == 1);
  }
  peer = world.start_peer();
  const auto got = run(world.get(url, world.path("out")));
  CHECK(got.ending == exited(0));
  CHECK(origin.bytes_sent() - sent == 4 * kMiB + 1);
  CHECK(sha256_of(world.path("out")) == sha256_at_origin(world, url));
}

TEST_CASE("a task whose file changed at the origin is begun anew, never mixed") {
  const PeerWorld world;
  const std::string path = "/file/data";
  const TemporaryDirectory root;
  write_text(root.path("data"), std::string(20 * kMiB, 'a'));
  const OriginServer origin({"--root", root.path(), "--rate", "20000000"});
  auto peer = world.start_peer();
  {
    const Process client(world.get(origin.url(path), world.path("out")));
    REQUIRE(wait_until([&] { return world.stored_pieces() >= 1; }));
    peer->kill();
  }
  REQUIRE(world.stored_pieces() < 5);
  write_text(root.path("data"), std::string(20 * kMiB, 'b'));
  peer = world.start_peer();
  CHECK(run(world.get(origin.url(path), world.path("out"))).ending == exited(0));
  CHECK(sha256_of(world.path("out")) == sha256_of(root.path("data")));
}

TEST_CASE("the output appears whole, with the digest it was asked to have") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  auto request = request_for(origin.url("/data?size=9000000"));
  request.set_output_path(world.path("output"));
  const std::string digest = sha256_at_origin(world, request.url());
  request.set_digest(digest);
  CHECK(download(world.connect(), request).status.ok());
  CHECK(sha256_of(world.path("output")) == digest);

  SUBCASE("once more: it exists") {
    CHECK(download(world.connect(), request).status.error_code() == grpc::ALREADY_EXISTS);
    request.set_overwrite(true);
    CHECK(download(world.connect(), request).status.ok());
  }
  SUBCASE("as a hard link to the stored data") {
    request.set_output_path(world.path("link"));
    request.set_force_hard_link(true);
    CHECK(download(world.connect(), request).status.ok());
    CHECK(fs::hard_link_count(world.path("link")) == 2);
  }
  SUBCASE("another digest: nothing appears, and nothing is left") {
    request.set_output_path(world.path("wrong/output"));
    request.set_digest("sha256:" + std::string(64, '0'));
    fs::create_directory(world.path("wrong"));
    CHECK(download(world.connect(), request).status.error_code() == grpc::DATA_LOSS);
    CHECK(fs::is_empty(world.path("wrong")));
    CHECK(world.stored_pieces() == 3);  // it had been proven to be right
  }
}

TEST_CASE("health checks say that the peer serves; methods it does not know are unimplemented") {
  const PeerWorld world;
  const auto peer = world.start_peer();
  const auto [health, serving] = call_by_name(world, "/grpc.health.v1.Health/Check");
  CHECK(health.ok());
  CHECK(serving == "\x08\x01");  // status: SERVING
  CHECK(call_by_name(world, "/dfdaemon.v2.DfdaemonDownload/NoSuchMethod").first.error_code() ==
        grpc::UNIMPLEMENTED);
  CHECK(call_by_name(world, "/no.such.Service/Method").first.error_code() == grpc::UNIMPLEMENTED);
}

TEST_CASE("asked to drain, the peer finishes its calls, accepts no others, and exits with 0") {
  const OriginServer origin({"--rate", "20000000"});
  const PeerWorld world;
  const auto peer = world.start_peer();
  Process client(world.get(origin.url("/data?size=20000000"), world.path("out")));
  REQUIRE(wait_until([&] { return world.stored_pieces() >= 1; }));
  SUBCASE("by perch") { peer->say("DRAIN=1\nDEADLINE_USEC=25000000\n"); }
  SUBCASE("by a signal") { peer->process().signal(SIGTERM); }
  CHECK(peer->says("STOPPING", "1"));
  CHECK(client.wait() == exited(0));
  CHECK(peer->process().wait() == exited(0));
  CHECK(fs::file_size(world.path("out")) == 20000000);
}

TEST_CASE("a drain that takes too long ends, and the client finishes with the next peer") {
  const OriginServer origin({"--rate", "20000000"});
  const PeerWorld world;
  auto peer = world.start_peer();
  Process client(world.get(origin.url("/data?size=30000000"), world.path("out")));
  REQUIRE(wait_until([&] { return world.stored_pieces() >= 1; }));
  peer->say("DRAIN=1\nDEADLINE_USEC=1\n");
  CHECK(peer->process().wait() == exited(0));
  peer = world.start_peer();
  CHECK(client.wait() == exited(0));
  CHECK(client.err().find("asking again: the peer restarts") != std::string::npos);
}

TEST_CASE("the client's exit status says what happened") {
  const OriginServer origin;
  const PeerWorld world;
  const std::string url = origin.url("/data?size=1000");
  const auto wrong = "sha256:" + std::string(64, '0');
  CHECK(run(world.get(url, world.path("out"), {"--timeout", "1"})).ending == exited(4));
  const auto peer = world.start_peer();
  CHECK(run(world.get(url, world.path("no/such/directory"))).ending == exited(1));
  CHECK(run(world.get(url, world.path("out"), {"--digest", "md5:1"})).ending == exited(2));
  CHECK(run(world.get(origin.url("/none"), world.path("out"))).ending == exited(3));
  CHECK(run(world.get(url, world.path("out"), {"--digest", wrong})).ending == exited(5));
  CHECK_FALSE(fs::exists(world.path("out")));
}

}  // namespace perch::test
