// SPDX-License-Identifier: Apache-2.0
// The ends of calls: each has one, whatever comes first, and none keeps the peer from its own.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <list>
#include <stdexcept>
#include <thread>

#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/service_scene.h"
#include "worker/peer/service/own_listener.h"

namespace perch::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;
using Stub = dfdaemon::v2::DfdaemonDownload::Stub;

// Takes connections, and says nothing to anybody.
class SilentOrigin {
 public:
  SilentOrigin() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const place = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), place, size) != 0 || ::listen(listener_.get(), 128) != 0 ||
        ::getsockname(listener_.get(), place, &size) != 0) {
      throw std::runtime_error("no listener for the origin");
    }
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::string url(std::size_t number) const {
    return fmt::format("http://127.0.0.1:{}/{}", port_, number);
  }

 private:
  UniqueFd listener_;
  unsigned port_ = 0;
};

grpc::Status ask(Stub& stub, const std::string& url, milliseconds patience) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + patience);
  dfdaemon::v2::DownloadTaskRequest request;
  request.mutable_download()->set_url(url);
  const auto stream = stub.DownloadTask(&context, request);
  dfdaemon::v2::DownloadTaskResponse response;
  while (stream->Read(&response)) continue;
  return stream->Finish();
}

// A peer's page of metrics.
class MetricsPage {
 public:
  MetricsPage(const PeerWorld& world, const RunningPeer& peer)
      : socket_(world.path("metrics.sock")), listener_(peer::own_listener(socket_).value()) {
    peer.hand_over("metrics", {listener_.get()});
  }
  [[nodiscard]] bool says(const std::string& sample) const {
    const auto asked =
        run({.argv = {"curl", "-s", "--unix-socket", socket_, "http://peer/metrics"}});
    return asked.out.contains("\n" + sample + "\n");
  }

 private:
  std::string socket_;
  UniqueFd listener_;
};

// Somebody is connected whom nobody has accepted: the kernel's state 02.
bool somebody_waits(const std::string& socket) {
  std::ifstream sockets("/proc/net/unix");
  for (std::string line; std::getline(sockets, line);) {
    if (line.ends_with(" " + socket) && line.contains(" 02 ")) return true;
  }
  return false;
}

// What a client says who has no room for any answer, and does not agree to the peer's settings.
std::string flood_of_stats(const std::string& id, std::uint32_t calls) {
  std::string words =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0, std::string("\0\x04\0\0\0\0", 6));
  dfdaemon::v2::StatTaskRequest request;
  request.set_task_id(id);
  for (std::uint32_t i = 0; i < calls; ++i) words += h2_call((2 * i) + 1, "StatTask", request);
  return words;
}

grpc::Status stat_once(const PeerWorld& world, const std::string& id) {
  const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(world.connect());
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kPatience);
  dfdaemon::v2::StatTaskRequest request;
  request.set_task_id(id);
  common::v2::Task task;
  return stub->StatTask(&context, request, &task);
}

Command call_as(uid_t user, const std::string& socket, const std::string& url,
                const std::string& output) {
  return {.argv = {from_build("CALL_AS"), std::to_string(user), socket, url, output}};
}

}  // namespace

TEST_CASE("calls that are cancelled while they arrive leave nothing behind") {
  const SilentOrigin origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const MetricsPage metrics(world, *peer);
  std::list<std::future<void>> clients;
  for (std::size_t client = 0; client < 4; ++client) {
    clients.push_back(std::async(std::launch::async, [&, client] {
      const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(world.connect());
      for (std::size_t i = 0; i < 500; ++i) {
        (void)ask(*stub, origin.url((client * 500) + i), milliseconds(1 + (i % 2)));
      }
    }));
  }
  clients.clear();
  CHECK(wait_until([&] { return metrics.says("perch_peer_active_calls 0"); }));
}

TEST_CASE("a peer that is asked to stop under a storm of calls stops, with 0, each time") {
  const SilentOrigin origin;
  for (int round = 0; round < 6; ++round) {
    const PeerWorld world;
    const auto peer = world.start_peer();
    std::atomic<bool> over = false;
    std::atomic<std::size_t> calls = 0;
    std::list<std::future<void>> clients;
    for (std::size_t client = 0; client < 4; ++client) {
      clients.push_back(std::async(std::launch::async, [&] {
        const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(world.connect());
        while (!over) (void)ask(*stub, origin.url(calls++), milliseconds(50));
      }));
    }
    CHECK(wait_until([&] { return calls > 8; }));
    peer->process().signal(SIGTERM);
    peer->process().signal(SIGTERM);
    CHECK(peer->process().wait() == exited(0));
    over = true;
  }
}

TEST_CASE("a draining peer takes no more calls from those who are connected") {
  const SilentOrigin origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const MetricsPage metrics(world, *peer);
  const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(world.connect());
  auto first = std::async(std::launch::async, [&] { return ask(*stub, origin.url(1), kPatience); });
  REQUIRE(wait_until([&] { return metrics.says("perch_peer_active_calls 1"); }));
  peer->say("DRAIN=1\n");
  REQUIRE(peer->says("STOPPING", "1"));
  // Long before the drain's own end.
  const auto refused = ask(*stub, origin.url(2), std::chrono::seconds(10));
  CHECK(refused.error_code() == grpc::UNAVAILABLE);
  CHECK(refused.error_message() == "the peer restarts: ask again");
  // Whoever asks twice is in a hurry.
  peer->process().signal(SIGTERM);
  CHECK(first.get().error_code() == grpc::UNAVAILABLE);
  CHECK(peer->process().wait() == exited(0));
}

TEST_CASE("the users of 65 interrupted calls do not stop the peer") {
  if (!have(is_root(), "needs root: other users' calls")) return;
  const SilentOrigin origin;
  const PeerWorld world;
  const auto peer = world.start_peer({"--max-downloads", "200"});
  const MetricsPage metrics(world, *peer);
  open_to_all(world);
  std::list<Process> clients;
  for (uid_t i = 0; i < 64; ++i) {
    clients.emplace_back(call_as(kOther + i, world.socket(), origin.url(1), ""));
  }
  REQUIRE(wait_until([&] { return metrics.says("perch_peer_active_calls 64"); }));
  // All go at once, and another comes before the peer has seen any of it.
  peer->process().signal(SIGSTOP);
  clients.clear();
  Process last(call_as(kOther + 64, world.socket(), "none", ""));
  REQUIRE(wait_until([&] { return somebody_waits(world.socket()); }));
  peer->process().signal(SIGCONT);
  CHECK(last.wait().has_value());
  CHECK(serves(world));
}

TEST_CASE("answers that nobody takes are bounded, and the peer recovers when their clients go") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  common::v2::Download request;
  request.set_url(origin.url("/data?size=134217728"));
  request.set_piece_length(64U << 10U);
  const auto got = download(world.connect(), request);
  REQUIRE(got.status.ok());
  std::list<RawClient> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(world).send(flood_of_stats(got.task_id, 250));
  CHECK(wait_until(
      [&] { return stat_once(world, got.task_id).error_code() == grpc::RESOURCE_EXHAUSTED; }));
  constexpr std::size_t kMaxKib = 64U << 10U;
  if (!is_sanitized()) {
    CHECK(std::stoul(status_field(peer->process().pid(), "RssAnon")) < kMaxKib);
  }
  clients.clear();
  CHECK(wait_until([&] { return stat_once(world, got.task_id).ok(); }));
}

}  // namespace perch::test
