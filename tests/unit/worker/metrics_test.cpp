// SPDX-License-Identifier: Apache-2.0
// The peer's metrics: as text, to Prometheus' own tool, and on the listener of the real peer.
#include "worker/peer/metrics/metrics.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <regex>

#include "common/posix/file.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/peer_world.h"
#include "worker/peer/service/own_listener.h"

namespace perch::test {
namespace {

using peer::PeerFigures;
using peer::status_line;
using peer::to_metrics;

PeerFigures some_figures() {
  return {.version = "1.2.3",
          .traffic = {.downloads_started = 5,
                      .downloads_finished = 3,
                      .downloads_failed = 1,
                      .origin_requests = 40,
                      .origin_errors = 2,
                      .origin_bytes = 12U << 20U,
                      .resumed_bytes = 4096,
                      .refetched_bytes = 512},
          .stored = {.tasks = 4, .finished_tasks = 3, .pieces = 9, .bytes = 1'000'000},
          .calls = 2,
          .clients = 1};
}

std::vector<std::string> families_of(const std::string& text) {
  const std::regex type("# TYPE (\\w+) \\w+");
  std::vector<std::string> families;
  for (std::sregex_iterator it(text.begin(), text.end(), type), end; it != end; ++it) {
    families.push_back((*it)[1]);
  }
  return families;
}

// curl's answer from a Unix socket, the header first.
std::string ask(const std::string& socket, const std::vector<std::string>& more = {}) {
  std::vector<std::string> argv{"curl", "-si", "--unix-socket", socket};
  argv.insert(argv.end(), more.begin(), more.end());
  if (more.empty()) argv.emplace_back("http://peer/metrics");
  return run({.argv = argv}).out;
}

double value_of(const std::string& text, const std::string& sample) {
  const std::size_t at = text.find("\n" + sample + " ");
  CAPTURE(sample);
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + sample.size() + 2));
}

}  // namespace

TEST_CASE("promtool finds nothing to say about the peer's metrics") {
  if (!have(is_installed("promtool"), "needs promtool (prometheus)")) return;
  const TemporaryDirectory directory;
  auto figures = some_figures();
  figures.process = own_process_figures();
  write_text(directory.path("metrics"), to_metrics(figures));
  const UniqueFd input = open_file(directory.path("metrics"), O_RDONLY).value();
  const Finished done = run({.argv = {"promtool", "check", "metrics"}, .fds = {{0, input.get()}}});
  CHECK(done.ending == exited(0));
  CHECK(done.out + done.err == "");
}

TEST_CASE("every figure is in the metrics, under the name that README tells") {
  const std::string text = to_metrics(some_figures());
  CHECK(value_of(text, R"(perch_peer_build_info{version="1.2.3"})") == 1);
  CHECK(value_of(text, "perch_peer_downloads_started_total") == 5);
  CHECK(value_of(text, R"(perch_peer_downloads_total{result="finished"})") == 3);
  CHECK(value_of(text, R"(perch_peer_downloads_total{result="failed"})") == 1);
  CHECK(value_of(text, "perch_peer_origin_requests_total") == 40);
  CHECK(value_of(text, "perch_peer_origin_request_errors_total") == 2);
  CHECK(value_of(text, "perch_peer_origin_bytes_total") == 12U << 20U);
  CHECK(value_of(text, "perch_peer_resumed_bytes_total") == 4096);
  CHECK(value_of(text, "perch_peer_refetched_bytes_total") == 512);
  CHECK(value_of(text, "perch_peer_active_calls") == 2);
  CHECK(value_of(text, "perch_peer_clients") == 1);
  CHECK(value_of(text, R"(perch_peer_store_tasks{state="finished"})") == 3);
  CHECK(value_of(text, R"(perch_peer_store_tasks{state="partial"})") == 1);
  CHECK(value_of(text, "perch_peer_store_bytes") == 1'000'000);

  const std::string readme = read_file(from_build("PERCH_SOURCE") + "/README.md").value();
  for (const std::string& family : families_of(text)) {
    if (!family.starts_with("perch_peer_")) continue;
    CHECK_MESSAGE(readme.contains("| `" + family), family);
  }
  const std::regex row("\\| `(perch_peer_\\w+)");
  for (std::sregex_iterator it(readme.begin(), readme.end(), row), end; it != end; ++it) {
    CHECK_MESSAGE(std::ranges::count(families_of(text), (*it)[1].str()) == 1, (*it)[1].str());
  }
}

TEST_CASE("the line for perch says what goes on") {
  CHECK(status_line(some_figures()) ==
        "2 calls of 1 client; 3 downloads finished, 12.0 MiB from origins");
}

TEST_CASE("a listener called metrics answers Prometheus, also after the peer was killed") {
  const OriginServer origin;
  const PeerWorld world;
  const std::string socket = world.path("metrics.sock");
  const UniqueFd listener = peer::own_listener(socket).value();
  auto peer = world.start_peer();
  peer->hand_over("metrics", {listener.get()});
  CHECK(run(world.get(origin.url("/data?size=5000000"), world.path("out"))).ending == exited(0));
  const std::string first = ask(socket);
  CHECK(first.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(first.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(value_of(first, R"(perch_peer_downloads_total{result="finished"})") == 1);
  CHECK(value_of(first, "perch_peer_origin_bytes_total") >= 5000000);
  CHECK(value_of(first, "perch_peer_store_bytes") == 5000000);
  CHECK(value_of(first, R"(perch_peer_store_tasks{state="finished"})") == 1);
  CHECK(value_of(first, "process_resident_memory_bytes") > 0);

  peer->kill();
  peer = world.start_peer();
  peer->hand_over("metrics", {listener.get()});
  const std::string second = ask(socket);
  CHECK(value_of(second, "perch_peer_origin_bytes_total") == 0);
  CHECK(value_of(second, "perch_peer_store_bytes") == 5000000);
}

TEST_CASE("there is nothing but GET and HEAD of /metrics") {
  const PeerWorld world;
  const std::string socket = world.path("metrics.sock");
  const UniqueFd listener = peer::own_listener(socket).value();
  const auto peer = world.start_peer();
  peer->hand_over("metrics", {listener.get()});
  CHECK(ask(socket, {"-I", "http://peer/metrics"}).starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(ask(socket, {"http://peer/"}).starts_with("HTTP/1.1 404 Not Found\r\n"));
  const std::string refused = ask(socket, {"-X", "POST", "http://peer/metrics"});
  CHECK(refused.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  CHECK(refused.contains("Allow: GET, HEAD\r\n"));
}

TEST_CASE("without perch the peer listens for Prometheus where it is told") {
  const TemporaryDirectory directory;
  Process peer({.argv = {from_build("PERCH_PEER"), "serve", "--store", directory.path("store"),
                         "--socket", directory.path("s"), "--metrics", directory.path("m")}});
  CHECK(wait_until([&] { return ask(directory.path("m")).starts_with("HTTP/1.1 200 OK\r\n"); }));
  peer.signal(SIGTERM);
  CHECK(peer.wait() == exited(0));
}

TEST_CASE("the peer tells perch what it does") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  CHECK(peer->says("STATUS", "0 calls of 0 clients; 0 downloads finished, 0 B from origins"));
}

}  // namespace perch::test
