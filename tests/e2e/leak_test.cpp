// SPDX-License-Identifier: Apache-2.0
// What a worker is given, and what perch keeps: no descriptor, thread or memory too many.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <sstream>

#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

std::string with_two_listeners(const TemporaryDirectory& directory, const std::string& handover) {
  return fmt::format(R"([listeners.api]
path = "{}"
[listeners.admin]
path = "{}"
[workers.app]
command = {}
listeners = ["api", "admin"]
handover = "{}"
)",
                     directory.path("api.sock"), directory.path("admin.sock"),
                     worker_command(handover), handover);
}

// "0=/dev/null 1=... " as {"/dev/null", ...}; the numbers have to be 0, 1, 2 and so on.
std::vector<std::string> targets(const std::string& listing) {
  std::vector<std::string> result;
  std::istringstream words(listing);
  for (std::string word; words >> word;) {
    const std::string number = std::to_string(result.size()) + "=";
    if (word == "(deleted)") continue;  // of a memory file's name
    CHECK(word.starts_with(number));
    result.push_back(word.substr(std::min(number.size(), word.size())));
  }
  return result;
}

void restart_times(const PerchProcess& perch, const std::string& path, int times) {
  std::uint64_t last = perch.worker()["instances"][0]["generation"].get<std::uint64_t>() - 1;
  for (int i = 0; i < times; ++i) {
    const Reply reply = ask_newer(path, last);
    last = reply.generation;
    ::kill(reply.pid, SIGKILL);
  }
  (void)ask_newer(path, last);
}

}  // namespace

TEST_CASE("a worker by listen-fds has 0, 1, 2 and its listeners, nothing else") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, with_two_listeners(directory, "listen-fds"));
  const auto fds = targets(ask_newer(directory.path("api.sock"), 0, "fds").text);
  REQUIRE(fds.size() == 5);
  CHECK(fds[3].starts_with("socket:"));
  CHECK(fds[4].starts_with("socket:"));
  CHECK(ask(directory.path("admin.sock"), "env LISTEN_FDNAMES")->text == "api:admin");
}

TEST_CASE("a worker by standard input has 0, 1, 2, nothing else") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory, {.handover = "stdin"}));
  const auto fds = targets(ask_newer(directory.path("api.sock"), 0, "fds").text);
  REQUIRE(fds.size() == 3);
  CHECK(fds[0].starts_with("socket:"));
}

TEST_CASE("a worker by channel has 0, 1, 2 and the channel, nothing else") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory, {.handover = "channel",
                                                             .arguments = {"--ready", "notify"}}));
  const auto fds = targets(ask_newer(directory.path("api.sock"), 0, "fds").text);
  REQUIRE(fds.size() == 4);
  CHECK(fds[3].starts_with("socket:"));
  CHECK(ask(directory.path("api.sock"), "env PERCH_CHANNEL")->text == "3");
}

TEST_CASE("descriptors that perch itself inherited do not reach the worker") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory), {.fds = {{7, 0}, {90, 0}}});
  CHECK(targets(ask_newer(directory.path("api.sock"), 0, "fds").text).size() == 4);
}

TEST_CASE("captured output costs the worker no descriptor more") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory, {.arguments = {"--say", "last words"},
                                                             .worker = "capture = true"}));
  const Reply reply = ask_newer(directory.path("api.sock"), 0, "fds");
  CHECK(targets(reply.text).size() == 4);
  ::kill(reply.pid, SIGKILL);
  (void)ask_newer(directory.path("api.sock"), reply.generation);
  CHECK(perch.worker()["last_deaths"][0]["stderr_tail"][0] == "last words");
  CHECK(perch.log().contains("last words"));
}

TEST_CASE("perch's descriptors, threads and memory are the same after 1,000 restarts") {
  for (const std::string handover : {"listen-fds", "channel"}) {
    CAPTURE(handover);
    const TemporaryDirectory directory;
    const std::string path = directory.path("api.sock");
    const PerchProcess perch(directory, app_config(directory, {.handover = handover}));
    REQUIRE(perch.wait_ready());
    restart_times(perch, path, 100);  // what grows once, has grown
    REQUIRE(perch.wait_ready());
    const std::size_t fds = open_fds(perch.pid());
    const std::size_t memory = resident_kib(perch.pid());

    restart_times(perch, path, 1000);
    REQUIRE(perch.wait_ready());
    CHECK(wait_until([&] { return open_fds(perch.pid()) <= fds; }));
    CHECK(threads(perch.pid()) == 1);
    CHECK(children_of(perch.pid()).size() == 1);
    if (!is_sanitized()) CHECK(resident_kib(perch.pid()) <= memory + 256);
  }
}

TEST_CASE("perch does nothing while nothing happens") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory));
  (void)ask_newer(directory.path("api.sock"), 0);
  REQUIRE(perch.wait_ready());
  const auto switches = [&] { return status_field(perch.pid(), "voluntary_ctxt_switches"); };
  std::string before;
  const auto moves_within = [&](std::chrono::milliseconds time) {
    before = switches();
    return wait_until([&] { return switches() != before; }, time);
  };
  // A start is over when the listeners were set right once more, a second after it.
  REQUIRE(wait_until([&] { return !moves_within(std::chrono::milliseconds(1500)); }));
  CHECK_FALSE(moves_within(std::chrono::seconds(3)));
}

}  // namespace perch::test
