// SPDX-License-Identifier: Apache-2.0
// perch-peer stat, ls and rm, and get of a range, the real ones against a real peer.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "common/posix/file.h"
#include "tests/support/pseudo_terminal.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/peer_world.h"
#include "worker/peer/store/task_id.h"

namespace perch::test {
namespace {

// An origin and a peer with one whole task.
struct Scene {
  Scene() { REQUIRE(run(world.get(url, world.path("out"))).ending == exited(0)); }

  [[nodiscard]] Command command(const std::vector<std::string>& words) const {
    Command command{.argv = {from_build("PERCH_PEER")},
                    .environment = {"PERCH_PEER_SOCKET=" + world.socket()}};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return command;
  }
  [[nodiscard]] Finished ask(const std::vector<std::string>& words) const {
    return run(command(words));
  }
  [[nodiscard]] std::string id() const {
    return nlohmann::json::parse(ask({"stat", url, "--json"}).out).at("id");
  }

  OriginServer origin;
  PeerWorld world;
  std::unique_ptr<RunningPeer> peer = world.start_peer();
  std::string url = origin.url("/data?size=9000000");
};

}  // namespace

TEST_CASE("stat tells of a task by its URL, its id, and the beginning of that") {
  const Scene scene;
  const auto task = nlohmann::json::parse(scene.ask({"stat", scene.url, "--json"}).out);
  CHECK(task.at("url") == scene.url);
  CHECK(task.at("state") == "finished");
  CHECK(task.at("content_length") == 9000000);
  CHECK(task.at("pieces") == 3);
  CHECK(task.at("pieces_done") == 3);
  CHECK(task.at("finished_at").is_string());
  const std::string id = task.at("id");
  CHECK(nlohmann::json::parse(scene.ask({"stat", id, "--json"}).out) == task);
  CHECK(nlohmann::json::parse(scene.ask({"stat", id.substr(0, 12), "--json"}).out) == task);
  CHECK(scene.ask({"stat", id}).out.contains("size      8.6 MiB (9000000 bytes)\n"));
}

TEST_CASE("a task that there is not has an exit status of its own") {
  const Scene scene;
  const auto gone = scene.ask({"stat", scene.origin.url("/other")});
  CHECK(gone.ending == exited(6));
  CHECK(std::ranges::count(gone.err, '\n') == 1);
  CHECK(scene.ask({"stat", scene.url, "--tag", "other"}).ending == exited(6));
  CHECK(scene.ask({"rm", std::string(64, '0')}).ending == exited(6));
  CHECK(scene.ask({"rm", std::string(12, '0')}).ending == exited(6));
  CHECK(scene.ask({"rm", "no id"}).ending == exited(2));
}

TEST_CASE("ls is lines in a pipe, a table on a terminal, and JSON for programs") {
  const Scene scene;
  const auto id = scene.id();
  CHECK(scene.ask({"ls"}).out == id + "\tfinished\t9000000\t" + scene.url + "\n");
  CHECK(nlohmann::json::parse(scene.ask({"ls", "--json"}).out).at(0).at("id") == id);

  PseudoTerminal terminal(24, 60);
  Command command = scene.command({"ls"});
  command.environment.emplace_back("TERM=xterm");
  command.fds = {{1, terminal.program_side()}};
  CHECK(run(command).ending == exited(0));
  CHECK(terminal.shown().starts_with("TASK               SIZE   DONE     AGE  URL\r\n"));
  CHECK(terminal.shown().contains(id.substr(0, 12) + "    8.6 MiB  100 %"));
}

TEST_CASE("what was removed is not there, and is downloaded anew") {
  const Scene scene;
  const std::uint64_t sent = scene.origin.bytes_sent();
  const auto removed = scene.ask({"rm", scene.url});
  CHECK(removed.ending == exited(0));
  CHECK(removed.out + removed.err == "");
  CHECK(scene.ask({"ls"}).out.empty());
  CHECK(nlohmann::json::parse(scene.ask({"ls", "--json"}).out).empty());
  CHECK(scene.ask({"get", scene.url, "-O", scene.world.path("again")}).ending == exited(0));
  CHECK(scene.origin.bytes_sent() >= sent + 9000000);
}

TEST_CASE("user and password in a URL are for the origin, and are neither kept nor shown") {
  const Scene scene;
  const auto with_secret = [](std::string url) { return url.insert(7, "me:secret@"); };
  const std::string url = scene.origin.url("/data?size=1000");
  const std::string given = with_secret(url);
  CHECK(scene.ask({"get", given, "-O", scene.world.path("mine")}).ending == exited(0));
  CHECK(scene.origin.stats()["headers"]["authorization"] == "Basic bWU6c2VjcmV0");
  const auto task = nlohmann::json::parse(scene.ask({"stat", given, "--json"}).out);
  CHECK(task.at("url") == url);
  CHECK(task.at("id") == peer::task_id({given, {}, {}, {}, {}, {}}));
  CHECK(scene.ask({"stat", url}).ending == exited(6));

  std::string said = scene.ask({"ls"}).out + scene.peer->process().err();
  const std::string missing = with_secret(scene.origin.url("/missing"));
  for (const std::string command : {"get", "stat", "rm"}) {
    const auto failed = scene.ask({command, missing});
    CHECK(failed.err.starts_with("perch-peer " + command + " " + scene.origin.url("/missing: ")));
    said += failed.err;
  }
  CHECK_FALSE(said.contains("secret"));
  CHECK(run({.argv = {"grep", "-r", "secret", scene.world.path("store")}}).ending == exited(1));
}

TEST_CASE("a tag makes it another task") {
  const Scene scene;
  const auto out = scene.world.path("tagged");
  CHECK(scene.ask({"get", scene.url, "-O", out, "--tag", "t"}).ending == exited(0));
  CHECK(scene.ask({"stat", scene.url, "--tag", "t"}).ending == exited(0));
  CHECK(std::ranges::count(scene.ask({"ls"}).out, '\n') == 2);
}

TEST_CASE("a range is these bytes and no others, also across pieces and beyond the end") {
  const Scene scene;
  const std::string whole = read_file(scene.world.path("out"), 10'000'000).value();
  for (const auto& [range, begin, size] : {std::tuple{"0-0", 0, 1},
                                           {"4194300-4194310", 4194300, 11},
                                           {"8999990-99999999", 8999990, 10}}) {
    CAPTURE(range);
    const auto out = scene.world.path(range);
    CHECK(scene.ask({"get", scene.url, "-O", out, "--range", range}).ending == exited(0));
    CHECK(read_file(out).value() ==
          whole.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(size)));
  }
  const auto out = scene.world.path("behind");
  CHECK(scene.ask({"get", scene.url, "-O", out, "--range", "9000000-9000001"}).ending == exited(3));
}

TEST_CASE("a peer that is not there is waited for, but not for ever") {
  const Scene scene;
  scene.peer->kill();
  const auto late = scene.ask({"ls", "--timeout", "1"});
  CHECK(late.ending == exited(4));
  CHECK(late.err.starts_with("perch-peer ls: not done in 1 s"));
}

}  // namespace perch::test
