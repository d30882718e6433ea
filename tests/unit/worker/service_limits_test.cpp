// SPDX-License-Identifier: Apache-2.0
// What clients may take of the peer has an end, whatever they do; each limit says its name.
#include <doctest/doctest.h>

#include <list>

#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/service_scene.h"

namespace perch::test {
namespace {

common::v2::Download content_of(const std::string& url) {
  common::v2::Download request;
  request.set_url(url);
  request.set_need_piece_content(true);
  return request;
}

// A client that takes the first messages of a call and no others until it is told to.
class SlowClient {
 public:
  SlowClient(const PeerWorld& world, const common::v2::Download& request)
      : stub_(dfdaemon::v2::DfdaemonDownload::NewStub(world.connect())) {
    dfdaemon::v2::DownloadTaskRequest message;
    *message.mutable_download() = request;
    context_.set_wait_for_ready(true);
    stream_ = stub_->DownloadTask(&context_, message);
  }
  ~SlowClient() { context_.TryCancel(); }
  SlowClient(const SlowClient&) = delete;
  SlowClient& operator=(const SlowClient&) = delete;

  bool take_one() { return stream_->Read(&message_); }
  grpc::Status take_all() {
    while (take_one()) continue;
    return stream_->Finish();
  }

 private:
  std::unique_ptr<dfdaemon::v2::DfdaemonDownload::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<dfdaemon::v2::DownloadTaskResponse>> stream_;
  dfdaemon::v2::DownloadTaskResponse message_;
};

constexpr std::size_t kMaxKib = 64U << 10U;

// What is its own. Stored files that are mapped while they are sent are in the page cache anyway,
// and the kernel takes them back when it needs the room.
std::size_t own_kib(RunningPeer& peer) {
  return std::stoul(status_field(peer.process().pid(), "RssAnon"));
}

}  // namespace

TEST_CASE("64 slow clients of a big file cost the peer less than 64 MiB of memory of its own") {
  if (skip_if_sanitized("memory figures")) return;
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const auto request = content_of(origin.url("/data?size=134217728"));
  std::list<SlowClient> clients;
  for (int i = 0; i < 64; ++i) clients.emplace_back(world, request);
  for (auto& client : clients) {
    CHECK(client.take_one());
    CHECK(client.take_one());
  }
  CHECK(world.stored_pieces() > 0);
  // One of them reads it all beside the others, who stand still.
  CHECK(clients.front().take_all().ok());
  CHECK(own_kib(*peer) < kMaxKib);
}

TEST_CASE("a client that never reads loses its call, and memory for it is bounded") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer({"--max-downloads", "1", "--idle-timeout", "2"});
  const std::string url = origin.url("/data?size=67108864");
  REQUIRE(download(world.connect(), content_of(url)).status.ok());
  const RawClient client(world);
  client.send(h2_greeting());
  client.send(h2_download(1, content_of(url)));
  // The one call there may be is his.
  REQUIRE(wait_until([&] {
    return download(world.connect(), content_of(url)).status.error_code() ==
           grpc::RESOURCE_EXHAUSTED;
  }));
  const auto refused = download(world.connect(), content_of(url)).status;
  CHECK(refused.error_message() == "too many downloads at once: 1 are in progress");
  CHECK(wait_until([&] { return download(world.connect(), content_of(url)).status.ok(); }));
  if (!is_sanitized()) CHECK(own_kib(*peer) < kMaxKib);
}

TEST_CASE("a flood of connections is turned away, told why, and costs no memory") {
  const PeerWorld world;
  const auto peer = world.start_peer({"--max-clients", "8"});
  std::list<RawClient> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(world);
  for (int i = 0; i < 500; ++i) {
    const auto words = RawClient(world).read_to_end();
    REQUIRE(words.has_value());
    CHECK(words->find("too many clients: 8 are connected") != std::string::npos);
  }
  CHECK(open_fds(peer->process().pid()) < 64);
  // One of them goes: there is room for another.
  clients.pop_front();
  CHECK(serves(world));
  if (!is_sanitized()) CHECK(own_kib(*peer) < kMaxKib);
}

TEST_CASE("connections that say nothing are closed after a time, and so are those without calls") {
  const PeerWorld world;
  const auto peer = world.start_peer({"--idle-timeout", "1"});
  const RawClient silent(world);
  const RawClient greeted(world);
  greeted.send(h2_greeting());
  CHECK(silent.read_to_end().has_value());
  CHECK(greeted.read_to_end().has_value());
  CHECK(serves(world));
}

TEST_CASE("a request longer than any URL needs is refused by its size") {
  const PeerWorld world;
  const auto peer = world.start_peer();
  common::v2::Download request;
  request.set_url("http://127.0.0.1/" + std::string(100'000, 'a'));
  const auto status = download(world.connect(), request).status;
  CHECK(status.error_code() == grpc::RESOURCE_EXHAUSTED);
  CHECK(status.error_message().find("65536") != std::string::npos);
}

}  // namespace perch::test
