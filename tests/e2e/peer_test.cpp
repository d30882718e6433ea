// SPDX-License-Identifier: Apache-2.0
// The story perch was made for: a peer is OOM-killed in the middle of a download, again and again,
// and the one who asked for the file only notices that it took longer.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>

#include "common/posix/file.h"
#include "tests/support/client_storm.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

constexpr std::size_t kFileSize = 128U << 20U;
// The hog needs a while, too, in which some pieces of 4 MiB are finished.
constexpr std::size_t kBetweenKills = 6U << 20U;
// An HTTP/2 client's first words; the server answers with its own settings.
const std::string kHello =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(3, '\0') + "\x04" + std::string(5, '\0');

std::uint64_t limit() { return (is_sanitized() ? 1024U : 256U) << 20U; }

void write_random_file(const std::string& path, std::size_t size) {
  std::mt19937_64 random(size);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  write_text(path, text);
}

// The origin's port, which it prints first.
int port_of(const Process& origin) {
  REQUIRE(wait_until([&] { return origin.out().contains("port "); }));
  return std::stoi(origin.out().substr(5));
}

std::string peer_config(const TemporaryDirectory& directory) {
  return fmt::format(R"([listeners.api]
path = "{0}/api.sock"
[workers.app]
command = ["{1}", "serve", "--store", "{0}/store", "--socket", "{0}/api.sock"]
listeners = ["api"]
handover = "channel"
[workers.app.restart]
delay = "0ms"
burst = 1000
)",
                     directory.path(), from_build("PERCH_PEER_BINARY"));
}

// Makes the kernel choose this worker, then takes memory until it has. The hog may go down, too.
void oom_kill(pid_t worker, const MemoryCgroup& cgroup) {
  const std::string score = fmt::format("/proc/{}/oom_score_adj", worker);
  REQUIRE(write_file(score, "1000").has_value());
  (void)run({.argv = {from_build("PERCH_MEMORY_HOG"), cgroup.oom_counter()},
             .cgroups = {cgroup.procs()}});
}

// Body bytes that the origin has sent so far, by its own count.
std::uint64_t sent_by_origin(int port) {
  const std::string script = fmt::format(
      "import json, urllib.request as r\n"
      "print(json.load(r.urlopen('http://127.0.0.1:{}/stats'))['bytes'])",
      port);
  return std::stoull(run({.argv = {"/usr/bin/python3", "-c", script}}).out);
}

}  // namespace

TEST_CASE("a download through a peer that is OOM-killed five times ends with the right bytes") {
  constexpr int kKills = 5;
  const auto cgroup = MemoryCgroup::make(limit());
  if (!have(cgroup != nullptr, "needs a writable memory cgroup")) return;
  const TemporaryDirectory directory;
  write_random_file(directory.path("file"), kFileSize);
  const Process origin({.argv = {"/usr/bin/python3", from_build("PERCH_ORIGIN"), "--root",
                                 directory.path(), "--rate", "9000000"}});
  const PerchProcess perch(directory, peer_config(directory), {.cgroups = {cgroup->procs()}});
  REQUIRE(perch.wait_ready());
  ClientStorm storm({.path = directory.path("api.sock"), .request = kHello}, 2);

  const int port = port_of(origin);
  const std::string url = fmt::format("http://127.0.0.1:{}/file/file", port);
  Process get({.argv = {from_build("PERCH_PEER_BINARY"), "get", url, "-O", directory.path("copy"),
                        "--socket", directory.path("api.sock")}});
  for (int kills = 1; kills <= kKills; ++kills) {
    REQUIRE(wait_until([&, before = sent_by_origin(port)] {
      return sent_by_origin(port) > before + kBetweenKills;
    }));
    oom_kill(perch.worker()["instances"][0]["pid"].get<pid_t>(), *cgroup);
    REQUIRE(wait_until([&] { return perch.worker()["deaths"]["oom-kill"] == kills; }));
    REQUIRE(perch.wait_ready());
    CHECK_FALSE(get.ending());
  }

  CHECK(get.wait(std::chrono::minutes(3)) == exited(0));
  CHECK(run({.argv = {"cmp", directory.path("file"), directory.path("copy")}}).ending == exited(0));
  const StormCounts counts = storm.stop();
  CHECK(counts.refused == 0);
  CHECK(counts.missing == 0);
  CHECK(counts.inodes.size() == 1);
}

}  // namespace perch::test
