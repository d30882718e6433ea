// SPDX-License-Identifier: Apache-2.0
// perch-peer get, the real one: whatever it is at, it can be ended, and leaves nothing.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "tests/support/requirement.h"
#include "tests/unit/worker/scripted_peer.h"

namespace perch::test {
namespace {

constexpr const char* kUrl = "http://origin.example/data";
const std::string kFile(1U << 18U, 'x');  // more than a pipe holds
constexpr std::size_t kPieceLength = 1U << 16U;
const std::map<std::string, std::string> kHeaders{{"etag", "\"a\""}};

// All of it, at once.
grpc::Status whole(const ScriptedPeer::Call& call) {
  bool there = call.starts(kFile, kHeaders);
  for (std::uint32_t piece = 0; there && piece < kFile.size() / kPieceLength; ++piece) {
    there = call.sends(kFile, piece);
  }
  return grpc::Status::OK;
}

// Of two pieces the first, and no more.
grpc::Status begun(const ScriptedPeer::Call& call) {
  (void)(call.starts("12345678", kHeaders) && call.sends("12345678", 0));
  return call.waits();
}

// As on a file system that has no files without a name: there is no /proc to give them one.
Command without_proc(Command command) {
  const std::vector<std::string> before{
      "unshare", "--mount", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh"};
  command.argv.insert(command.argv.begin(), before.begin(), before.end());
  return command;
}

// A pipe with a reader that takes nothing unless told.
struct StalledPipe {
  explicit StalledPipe(int flags) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC | flags) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  [[nodiscard]] bool full() const {
    int bytes = 0;
    return ::ioctl(out.get(), FIONREAD, &bytes) == 0 && bytes == ::fcntl(in.get(), F_GETPIPE_SZ);
  }
  // All that comes until the other end is closed.
  [[nodiscard]] std::size_t drain() {
    in.reset();
    ::fcntl(out.get(), F_SETFL, 0);
    std::array<char, 4096> bytes{};
    std::size_t total = 0;
    for (ssize_t got = 1; got > 0; total += static_cast<std::size_t>(std::max<ssize_t>(got, 0))) {
      got = ::read(out.get(), bytes.data(), bytes.size());
    }
    return total;
  }

  UniqueFd out;
  UniqueFd in;
};

}  // namespace

TEST_CASE("a signal ends a client also while data comes without a pause") {
  ScriptedPeer peer;
  std::atomic<int> sent = 0;
  peer.download = [&](const ScriptedPeer::Call& call) {
    bool there = call.starts("12345678", kHeaders);
    while (there) {
      there = call.sends("12345678", 0);
      ++sent;
    }
    return grpc::Status::OK;
  };
  Process client(peer.get());
  REQUIRE(wait_until([&] { return sent > 1000; }));
  client.signal(SIGTERM);
  CHECK(client.wait() == killed_by(SIGTERM));
  CHECK(peer.files_here() == 0);
}

TEST_CASE("a client whose stdout takes no more ends by a signal, and at its time") {
  ScriptedPeer peer;
  peer.download = whole;
  peer.piece_length = kPieceLength;
  const StalledPipe pipe(0);
  SUBCASE("a signal") {
    Command command = peer.client({"get", kUrl, "-O", "-"});
    command.fds = {{1, pipe.in.get()}};
    Process client(command);
    REQUIRE(wait_until([&] { return pipe.full(); }));
    client.signal(SIGTERM);
    CHECK(client.wait() == killed_by(SIGTERM));
  }
  SUBCASE("its time") {
    Command command = peer.client({"get", kUrl, "-O", "-", "--timeout", "3"});
    command.fds = {{1, pipe.in.get()}};
    Process client(command);
    CHECK(client.wait() == exited(4));
    CHECK(client.err().ends_with(
        "not done in 3 s: all had come, but was not yet checked and written\n"));
  }
}

TEST_CASE("a client that is killed leaves nothing behind") {
  ScriptedPeer peer;
  peer.download = begun;
  Process client(peer.get());
  REQUIRE(wait_until([&] { return peer.calls() == 1; }));
  client.signal(SIGKILL);
  CHECK(client.wait() == killed_by(SIGKILL));
  CHECK(peer.files_here() == 0);
}

TEST_CASE("where a file has a name from the start, that goes when the client ends") {
  if (skip_if_sanitized("AddressSanitizer reads /proc")) return;
  const bool can = run(without_proc({.argv = {"true"}})).ending == exited(0);
  if (!have(can, "needs the right to unmount /proc in a namespace of its own")) return;
  ScriptedPeer peer;
  peer.download = begun;
  Process client(without_proc(peer.get()));
  REQUIRE(wait_until([&] { return peer.files_here() == 1; }));
  client.signal(SIGTERM);
  CHECK_MESSAGE(client.wait() == killed_by(SIGTERM), client.err());
  CHECK(peer.files_here() == 0);

  peer.piece_length = kPieceLength;
  peer.download = whole;
  for (const int exit : {0, 1}) {
    const auto got = run(without_proc(peer.get()));
    CHECK_MESSAGE(got.ending == exited(exit), got.err);
  }
  CHECK(run(without_proc(peer.get({"--force"}))).ending == exited(0));
  CHECK(std::filesystem::file_size(peer.path("here/data")) == kFile.size());
  CHECK(peer.files_here() == 1);
}

TEST_CASE("a stdout that somebody made non-blocking gets all of the file") {
  ScriptedPeer peer;
  peer.download = whole;
  peer.piece_length = kPieceLength;
  StalledPipe pipe(O_NONBLOCK);
  Command command = peer.client({"get", kUrl, "-O", "-"});
  command.fds = {{1, pipe.in.get()}};
  Process client(command);
  REQUIRE(wait_until([&] { return pipe.full() || client.ending(); }));
  CHECK(pipe.drain() == kFile.size());
  CHECK_MESSAGE(client.wait() == exited(0), client.err());
}

}  // namespace perch::test
