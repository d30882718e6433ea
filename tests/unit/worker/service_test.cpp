// SPDX-License-Identifier: Apache-2.0
// The peer's API as its clients see it.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "common/posix/file.h"
#include "tests/unit/worker/service_scene.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1U << 20U;

common::v2::Download request_for(const std::string& url) {
  common::v2::Download request;
  request.set_url(url);
  return request;
}

common::v2::Download part_of(const std::string& url, std::uint64_t start, std::uint64_t length) {
  auto request = request_for(url);
  request.mutable_range()->set_start(start);
  request.mutable_range()->set_length(length);
  return request;
}

std::vector<std::uint32_t> numbers(const auto& pieces) {
  std::vector<std::uint32_t> numbers;
  for (const auto& piece : pieces) numbers.push_back(piece.number());
  std::ranges::sort(numbers);
  return numbers;
}

// What curl gets from the origin itself.
std::string bytes_at_origin(const PeerWorld& world, const std::string& url, std::uint64_t start,
                            std::uint64_t length) {
  const std::string file = world.path("expected");
  REQUIRE(run({.argv = {"curl", "-sS", "-o", file, url}}).ending == exited(0));
  return read_file(file, 64 * kMiB).value().substr(start, length);
}

using Answers = std::vector<std::future<Answer>>;

// Each client with a connection of its own.
Answers ask_at_once(const PeerWorld& world, std::size_t clients, const std::string& url) {
  Answers answers;
  for (std::size_t i = 0; i < clients; ++i) {
    answers.push_back(std::async(
        std::launch::async, [&world, url] { return download(world.connect(), request_for(url)); }));
  }
  return answers;
}

// A client who reads its pieces one by one.
class PieceReader {
 public:
  PieceReader(const PeerWorld& world, const common::v2::Download& request)
      : stub_(dfdaemon::v2::DfdaemonDownload::NewStub(world.connect())) {
    *request_.mutable_download() = request;
    context_.set_wait_for_ready(true);
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
    stream_ = stub_->DownloadTask(&context_, request_);
  }
  [[nodiscard]] bool read_piece() {
    dfdaemon::v2::DownloadTaskResponse response;
    while (stream_->Read(&response)) {
      if (response.has_download_piece_finished_response()) return true;
    }
    return false;
  }
  [[nodiscard]] grpc::Status end() { return stream_->Finish(); }

 private:
  std::unique_ptr<dfdaemon::v2::DfdaemonDownload::Stub> stub_;
  dfdaemon::v2::DownloadTaskRequest request_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<dfdaemon::v2::DownloadTaskResponse>> stream_;
};

// Connections that wait for somebody to accept them, and those that are accepted.
std::size_t connections_to(const std::string& socket) {
  const std::string sockets = read_file("/proc/net/unix", 64 * kMiB).value();
  std::size_t count = 0;
  for (std::size_t at = 0; (at = sockets.find(socket, at)) != std::string::npos; ++at) ++count;
  return count - 1;  // the listener
}

}  // namespace

TEST_CASE("a range brings the pieces it lies in and no others") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const std::string url = origin.url("/data?size=20971520&seed=r");
  const std::uint64_t start = (5 * kMiB) + 7;
  const std::uint64_t length = 4 * kMiB;
  auto request = part_of(url, start, length);
  SUBCASE("asked for by the field") {}
  SUBCASE("asked for by a Range header, as Dragonfly's clients do") {
    request.clear_range();
    (*request.mutable_request_header())["Range"] =
        "bytes=" + std::to_string(start) + "-" + std::to_string(start + length - 1);
  }
  request.set_output_path(world.path("part"));
  const auto answer = download(world.connect(), request);
  REQUIRE_MESSAGE(answer.status.ok(), answer.status.error_message());
  CHECK(answer.started->content_length() == 20971520);
  CHECK(answer.started->range().start() == start);
  CHECK(answer.started->range().length() == length);
  CHECK(numbers(answer.started->pieces()) == std::vector<std::uint32_t>{1, 2});
  CHECK(numbers(answer.pieces) == std::vector<std::uint32_t>{1, 2});
  CHECK(world.stored_pieces() == 2);
  CHECK(read_file(world.path("part"), 8 * kMiB).value() ==
        bytes_at_origin(world, url, start, length));

  // The rest comes when somebody wants it.
  CHECK(download(world.connect(), request_for(url)).status.ok());
  CHECK(world.stored_pieces() == 5);
}

TEST_CASE("a range that makes no sense is refused, one that ends behind the file is cut") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const std::string url = origin.url("/data?size=5000");
  const auto code = [&](std::uint64_t start, std::uint64_t length) {
    return download(world.connect(), part_of(url, start, length)).status.error_code();
  };
  CHECK(code(0, 0) == grpc::INVALID_ARGUMENT);
  CHECK(code(~0ULL, 1) == grpc::INVALID_ARGUMENT);
  CHECK(code(1, ~0ULL) == grpc::INVALID_ARGUMENT);
  CHECK(code(5000, 1) == grpc::OUT_OF_RANGE);
  const auto cut = download(world.connect(), part_of(url, 4999, 1000));
  CHECK(cut.status.ok());
  CHECK(cut.started->range().length() == 1);
}

TEST_CASE("64 clients who ask for one URL cost the origin one download") {
  const OriginServer origin({"--rate", "20000000"});
  const PeerWorld world;
  const auto peer = world.start_peer();
  auto answers = ask_at_once(world, 64, origin.url("/data?size=10000000"));
  for (auto& answer : answers) CHECK(answer.get().status.ok());
  // One byte more: the question what the file is.
  CHECK(origin.bytes_sent() == 10000001);
}

TEST_CASE("64 clients who came while the peer was dead are all served by the next one") {
  const OriginServer origin;
  const PeerWorld world;
  auto peer = world.start_peer();
  peer->kill();
  auto answers = ask_at_once(world, 64, origin.url("/data?size=1000000"));
  REQUIRE(wait_until([&] { return connections_to(world.socket()) >= 64; }));
  peer = world.start_peer();
  for (auto& answer : answers) CHECK(answer.get().status.ok());
}

TEST_CASE("a hard link never lets its owner change what others are served") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const std::string url = origin.url("/data?size=9000000");
  auto request = request_for(url);
  request.set_output_path(world.path("link"));
  request.set_force_hard_link(true);
  REQUIRE(download(world.connect(), request).status.ok());
  const std::string whole = read_file(world.path("link"), 16 * kMiB).value();
  {
    const auto file = open_file(world.path("link"), O_WRONLY);
    REQUIRE(::pwrite(file->get(), "!", 1, 5'000'000) == 1);
  }
  request.set_force_hard_link(false);
  request.set_output_path(world.path("copy"));
  // Whoever is told that it was changed gets what is right when he asks again.
  CHECK(wait_until([&] { return download(world.connect(), request).status.ok(); }));
  CHECK(read_file(world.path("copy"), 16 * kMiB).value() == whole);
}

TEST_CASE("a call never mixes the version that it began with and the one that another call needs") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  // The question and ten pieces; then another version, which has the digest.
  const std::string path = "/data?size=40000000";
  const std::string url = origin.url(path + "&change=12");
  auto request = request_for(url);
  REQUIRE(download(world.connect(), request).status.ok());
  request.set_need_piece_content(true);
  PieceReader slow(world, request);
  REQUIRE(slow.read_piece());
  request.set_digest(origin.sha256_of(path + "&seed=0changed"));
  request.set_output_path(world.path("new"));
  CHECK(download(world.connect(), request).status.ok());
  CHECK(sha256_of(world.path("new")) == request.digest());
  while (slow.read_piece()) continue;
  CHECK(slow.end().error_code() == grpc::ABORTED);
}

TEST_CASE("a hard link is not made of a file that was given up meanwhile") {
  const OriginServer origin({"--rate", "2000000"});
  const PeerWorld world;
  const auto peer = world.start_peer();
  auto request = request_for(origin.url("/data?size=1000000&length=chunked"));
  request.set_output_path(world.path("link"));
  request.set_force_hard_link(true);
  auto linking =
      std::async(std::launch::async, [&, request] { return download(world.connect(), request); });
  REQUIRE(wait_until([&] { return origin.stats()["requests"] == 2; }));
  auto wrong = request_for(request.url());
  wrong.set_digest("sha256:" + std::string(64, '0'));
  CHECK(download(world.connect(), wrong).status.error_code() == grpc::DATA_LOSS);
  CHECK(linking.get().status.error_code() == grpc::ABORTED);
  CHECK_FALSE(fs::exists(world.path("link")));
}

}  // namespace perch::test
