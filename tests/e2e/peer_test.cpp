// SPDX-License-Identifier: Apache-2.0
// The story perch was made for: a peer is killed in the middle of a download, again and again, and
// the one who asked for the file only notices that it took longer.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>

#include <random>

#include "common/posix/file.h"
#include "tests/support/client_storm.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"
#include "tests/support/storm_check.h"

namespace perch::test {
namespace {

constexpr std::size_t kMiB = 1U << 20U;
// An HTTP/2 client's first words; the server answers with its own settings.
const std::string kHello =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(3, '\0') + "\x04" + std::string(5, '\0');

std::uint64_t limit() { return (is_sanitized() ? 1024U : 256U) * kMiB; }

void write_random_file(const std::string& path, std::size_t size) {
  std::mt19937_64 random(size);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  write_text(path, text);
}

// tests/fixtures/origin.py, with one random file.
class Origin {
 public:
  struct Limits {
    std::size_t size;
    std::size_t bytes_a_second;
  };
  explicit Origin(const Limits& limits)
      : process_(
            {.argv = {from_build("PERCH_TEST_PYTHON"), from_build("PERCH_TEST_ORIGIN"), "--root",
                      root_.path(), "--rate", std::to_string(limits.bytes_a_second)}}) {
    write_random_file(file(), limits.size);
    REQUIRE(wait_until([this] { return process_.out().ends_with('\n'); }));
    const std::string line = process_.out();  // "port N\n"
    address_ = "http://127.0.0.1:" + line.substr(5, line.size() - 6);
  }

  [[nodiscard]] std::string file() const { return root_.path("file"); }
  [[nodiscard]] std::string url() const { return address_ + "/file/file"; }
  // By its own count; of the file alone.
  [[nodiscard]] std::uint64_t bytes_sent() const {
    const Finished stats = run({.argv = {"curl", "-sS", address_ + "/stats"}});
    return nlohmann::json::parse(stats.out).at("bytes").get<std::uint64_t>();
  }

 private:
  TemporaryDirectory root_;
  Process process_;
  std::string address_;
};

std::string peer_config(const TemporaryDirectory& directory) {
  return fmt::format(R"([listeners.api]
path = "{0}/api.sock"
[workers.app]
command = ["{1}", "serve", "--store", "{0}/store"]
listeners = ["api"]
handover = "channel"
[workers.app.restart]
delay = "0ms"
)",
                     directory.path(), from_build("PERCH_PEER_BINARY"));
}

// perch with the peer as its worker.
class Peer {
 public:
  explicit Peer(const Surroundings& surroundings = {})
      : perch_(directory_, peer_config(directory_), surroundings) {
    REQUIRE(perch_.wait_ready());
  }

  [[nodiscard]] std::string socket() const { return directory_.path("api.sock"); }
  [[nodiscard]] std::string copy() const { return directory_.path("copy"); }
  [[nodiscard]] Command get(const std::string& url) const {
    return {
        .argv = {from_build("PERCH_PEER_BINARY"), "get", url, "-O", copy(), "--socket", socket()}};
  }
  [[nodiscard]] nlohmann::json worker() const { return perch_.worker(); }
  void kill_by_hand() const {
    REQUIRE(perch_.wait_ready());
    ::kill(worker()["instances"][0]["pid"].get<pid_t>(), SIGKILL);
  }
  // At least so many, and none by another cause; how many there were.
  [[nodiscard]] int expect_deaths(const std::string& cause, int at_least) const {
    REQUIRE(wait_until([&] { return worker()["starts"] > at_least; }));
    const nlohmann::json by_cause = worker()["deaths"];
    int deaths = 0;
    for (const auto& [name, count] : by_cause.items()) {
      if (name == cause) deaths = count;
      if (name != cause) CHECK_MESSAGE(count == 0, name);
    }
    return deaths;
  }

 private:
  TemporaryDirectory directory_;
  PerchProcess perch_;
};

// Fills the cgroup until the kernel has killed whom it likes least there.
void oom_kill(const MemoryCgroup& cgroup) {
  (void)run({.argv = {from_build("PERCH_TEST_PYTHON"), from_build("PERCH_TEST_BALLAST"),
                      cgroup.oom_counter()},
             .cgroups = {cgroup.procs()}});
}

// A download with other clients beside it, from its start to its right end.
class Download {
 public:
  Download(const Peer& peer, const Origin& origin)
      : peer_(peer),
        origin_(origin),
        storm_({.path = peer.socket(), .request = kHello}, 2),
        client_(peer.get(origin.url())) {}

  [[nodiscard]] bool runs() { return !client_.ending(); }
  [[nodiscard]] bool wait_progress(std::uint64_t bytes) const {
    const std::uint64_t before = origin_.bytes_sent();
    return wait_until([&] { return origin_.bytes_sent() >= before + bytes; });
  }
  void expect_right_end() {
    CHECK(client_.wait(std::chrono::minutes(3)) == exited(0));
    CHECK(run({.argv = {"cmp", origin_.file(), peer_.copy()}}).ending == exited(0));
    const StormCounts counts = storm_.stop();
    CHECK(counts.served > 0);
    check_nobody_was_turned_away(counts);
  }

 private:
  const Peer& peer_;
  const Origin& origin_;
  ClientStorm storm_;
  Process client_;
};

// One call by the health protocol with an empty request: the answer's bytes. curl speaks HTTP/2,
// and a gRPC message has five bytes before it: not compressed, and its length.
std::string check_health(const std::string& socket) {
  const TemporaryDirectory directory;
  write_text(directory.path("request"), std::string(5, '\0'));
  const Finished call = run(
      {.argv = {"curl", "-sS", "--http2-prior-knowledge", "--unix-socket", socket, "-H",
                "content-type: application/grpc", "-H", "te: trailers", "--data-binary",
                "@" + directory.path("request"), "http://localhost/grpc.health.v1.Health/Check"}});
  CHECK_MESSAGE(call.ending == exited(0), call.err);
  return call.out;
}

const std::string kServing("\0\0\0\0\2\x08\x01", 7);

}  // namespace

TEST_CASE("a download through a peer that is OOM-killed five times ends with the right bytes") {
  const auto cgroup = MemoryCgroup::make(limit());
  if (!have(cgroup != nullptr, "needs a writable memory cgroup")) return;
  const Origin origin({.size = 128 * kMiB, .bytes_a_second = 10 * kMiB});
  const Peer peer({.cgroups = {cgroup->procs()}});
  Download download(peer, origin);
  // The successor may be killed, too, while the ballast is still there.
  for (int kills = 0; kills < 5;) {
    REQUIRE(download.wait_progress(6 * kMiB));
    oom_kill(*cgroup);
    kills = peer.expect_deaths("oom-kill", kills + 1);
    REQUIRE(download.runs());
  }
  download.expect_right_end();
}

TEST_CASE(
    "a download through a peer killed 30 times ends with the right bytes, few of them sent twice") {
  constexpr std::size_t kSize = 48 * kMiB;
  constexpr int kKills = 30;
  const Origin origin({.size = kSize, .bytes_a_second = 6 * kMiB});
  const Peer peer;
  Download download(peer, origin);
  for (int kills = 1; kills <= kKills; ++kills) {
    peer.kill_by_hand();
    CHECK(peer.expect_deaths("signal", kills) == kills);
    REQUIRE(download.runs());
  }
  download.expect_right_end();
  CHECK(origin.bytes_sent() < kSize + kKills * kMiB);
}

TEST_CASE("a health check is answered through perch, also by the next generation") {
  const Peer peer;
  CHECK(check_health(peer.socket()) == kServing);
  peer.kill_by_hand();
  // At once: it waits in the backlog.
  CHECK(check_health(peer.socket()) == kServing);
}

}  // namespace perch::test
