// SPDX-License-Identifier: Apache-2.0
// Whatever somebody does to a listener's path while clients connect, the outcome is the promised
// one: the same inode where that can be, nobody refused afterwards, and everything counted.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <random>

#include "common/posix/unix_socket.h"
#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A daemon's socket, at its own name.
UniqueFd listen_at(const std::string& path) {
  auto socket = unix_socket(SOCK_STREAM, Blocking::No);
  const auto address = unix_address(path);
  REQUIRE(socket.has_value());
  REQUIRE(address.has_value());
  if (::bind(socket->get(), address->get(), address->size) != 0) return {};
  REQUIRE(::listen(socket->get(), 16) == 0);
  return std::move(*socket);
}

// Nothing that is done meanwhile is answered before it is complete.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : pid_(pid) {
    REQUIRE(::kill(pid_, SIGSTOP) == 0);
    REQUIRE(wait_until([&] { return state_of(pid_) == 'T'; }));
  }
  ~Stopped() { ::kill(pid_, SIGCONT); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  pid_t pid_;
};

struct Setting {
  std::string handover = "listen-fds";
  std::string listener = "mode = \"0666\"";
  std::vector<std::string> prefix{};
  std::string restart = "delay = \"0ms\"";
};

class World {
 public:
  explicit World(const Setting& setting = {})
      : perch(directory_, config(setting), {.prefix = setting.prefix}) {
    REQUIRE(perch.wait_ready());
  }

  [[nodiscard]] std::string config(const Setting& setting, const std::string& name = "api") const {
    return fmt::format(
        "[listeners.api]\npath = \"{}/{}.sock\"\n{}\n[workers.app]\ncommand = {}\n"
        "listeners = [\"api\"]\nhandover = \"{}\"\n[workers.app.restart]\n{}\n",
        run, name, setting.listener, worker_command(setting.handover), setting.handover,
        setting.restart);
  }
  [[nodiscard]] nlohmann::json listener() const { return perch.status()["listeners"]["api"]; }
  [[nodiscard]] std::uint64_t heals(const std::string& kind) const {
    return listener()["heals_by_kind"][kind];
  }
  [[nodiscard]] bool reaches(const std::string& kind, std::uint64_t count) const {
    return wait_until([&] { return heals(kind) == count; }) && wait_until_whole();
  }
  // Path, spare link and socket are one again.
  [[nodiscard]] bool wait_until_whole() const {
    return wait_until([&] {
      return listener()["state"] == "listening" && inode_of(path) == listener()["inode"] &&
             inode_of(spare) == inode_of(path);
    });
  }
  [[nodiscard]] std::size_t events(const std::string& type) const {
    const std::string text = perch.request("GET", "/v1/events").body;
    std::size_t count = 0;
    for (auto at = text.find("\"" + type + "\""); at != std::string::npos;
         at = text.find("\"" + type + "\"", at + 1)) {
      ++count;
    }
    return count;
  }
  void reload(const std::string& text) {
    const int before = perch.status()["perch"]["reloads"]["ok"];
    perch.write_config(text);
    perch.process().signal(SIGHUP);
    REQUIRE(wait_until([&] { return perch.status()["perch"]["reloads"]["ok"] == before + 1; }));
  }
  // Ten heals a second are healed at once: a test that is about something else stays below.
  void keep_the_pace() {
    REQUIRE(wait_until([&] { return Clock::now() >= next_; }));
    next_ = Clock::now() + std::chrono::milliseconds(150);
  }

 private:
  TemporaryDirectory directory_;

 public:
  const std::string run = directory_.path("run");
  const std::string path = run + "/api.sock";
  const std::string spare = run + "/.api.sock.perch";
  const bool made = fs::create_directory(run);
  PerchProcess perch;

 private:
  Clock::time_point next_{};
};

// What somebody does to the path, and as what it is counted.
struct Mishap {
  std::string kind;
  std::function<void(World&)> befall;
};

std::vector<Mishap> mishaps_that_keep_the_inode() {
  const auto put_over = [](World& world, const std::function<void(const std::string&)>& make) {
    const std::string other = world.run + "/other";
    make(other);
    fs::rename(other, world.path);
  };
  return {
      {"removed", [](World& world) { fs::remove(world.path); }},
      {"removed",
       [](World& world) {
         fs::rename(world.path, world.run + "/mine");
         fs::remove(world.run + "/mine");
       }},
      {"displaced",
       [=](World& world) {
         put_over(world, [](const std::string& other) { write_text(other, "precious"); });
       }},
      {"replaced",
       [=](World& world) { put_over(world, [](const std::string& other) { listen_at(other); }); }},
      {"mode", [](World& world) { ::chmod(world.path.c_str(), 0); }},
      {"spare", [](World& world) { fs::remove(world.spare); }},
      {"removed",
       [](World& world) {
         const Stopped unseen(world.perch.pid());
         fs::remove(world.path);
         fs::remove(world.run + "/.api.sock.lock");
       }},
  };
}

std::vector<Mishap> mishaps_that_cost_the_inode() {
  return {
      {"rebound",
       [](World& world) {
         const Stopped unseen(world.perch.pid());
         fs::remove(world.path);
         fs::remove(world.spare);
       }},
      {"rebound",
       [](World& world) {
         const Stopped unseen(world.perch.pid());
         for (const auto& entry : fs::directory_iterator(world.run)) fs::remove(entry.path());
       }},
      {"rebound",
       [](World& world) {
         {
           const Stopped unseen(world.perch.pid());
           fs::remove_all(world.run);
         }
         REQUIRE(wait_until([&] { return world.listener()["state"] == "away"; }));
         fs::create_directory(world.run);
       }},
      {"reclaimed", [](World& world) { ask(world.path, "shutdown"); }},
  };
}

// It is found by a look every few seconds: it makes no news.
Mishap a_live_owner_that_ends() {
  return {"replaced", [](World& world) {
            const UniqueFd owner = listen_at(world.run + "/other");
            const ino_t its_inode = inode_of(world.run + "/other");
            fs::rename(world.run + "/other", world.path);
            REQUIRE(wait_until([&] { return world.listener()["state"] == "lost"; }));
            CHECK(inode_of(world.path) == its_inode);
          }};
}

// Clients of their own: those of the storm may have been on their way while something was wrong.
void check_nobody_is_turned_away(const World& world) {
  ClientStorm fresh(ClientStorm::Target{.path = world.path});
  REQUIRE(wait_until([&] { return fresh.served() >= 100; }));
  CHECK(fresh.turned_away() == 0);
}

}  // namespace

TEST_CASE("whatever somebody does to the path, at random, is put right and counted") {
  World world;
  ClientStorm storm(ClientStorm::Target{.path = world.path});
  const auto seed = std::random_device()();
  std::cout << "guardian: seed " << seed << '\n';
  CAPTURE(seed);
  std::minstd_rand dice(seed);

  std::vector<std::pair<Mishap, bool>> plan;
  for (int round = 0; round < 5; ++round) {
    for (const Mishap& mishap : mishaps_that_keep_the_inode()) plan.emplace_back(mishap, true);
  }
  for (int round = 0; round < 2; ++round) {
    for (const Mishap& mishap : mishaps_that_cost_the_inode()) plan.emplace_back(mishap, false);
  }
  plan.emplace_back(a_live_owner_that_ends(), true);
  std::ranges::shuffle(plan, dice);

  std::map<std::string, std::uint64_t> expected;
  for (const auto& [mishap, keeps_inode] : plan) {
    CAPTURE(mishap.kind);
    world.keep_the_pace();
    const ino_t inode = inode_of(world.path);
    mishap.befall(world);
    REQUIRE(world.reaches(mishap.kind, ++expected[mishap.kind]));
    CHECK((inode_of(world.path) == inode) == keeps_inode);
    check_nobody_is_turned_away(world);
  }
  for (const auto& [kind, count] : expected) CHECK(world.heals(kind) == count);
  CHECK(world.events("listener-displaced") == expected["displaced"]);
  CHECK(world.events("listener-rebound") == expected["rebound"]);
  CHECK(world.events("listener-reclaimed") == expected["reclaimed"]);
  CHECK(world.events("listener-lost") == 3);  // a live owner, and the directory twice
  CHECK(world.events("listener-healed") ==
        expected["removed"] + expected["replaced"] + expected["mode"] + expected["spare"]);
  CHECK(world.listener()["heals"] == plan.size());
  CHECK(storm.stop().full == 0);
}

TEST_CASE("a path that is removed is back within moments, with its inode") {
  World world;
  const ino_t inode = inode_of(world.path);
  std::vector<double> milliseconds;
  for (int i = 0; i < 60; ++i) {
    world.keep_the_pace();
    const auto begin = Clock::now();
    fs::remove(world.path);
    while (Client(world.path).error() != 0) continue;
    milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    CHECK(inode_of(world.path) == inode);
  }
  CHECK(world.reaches("removed", 60));
  CHECK(world.listener()["last_outage_seconds"].is_number());
  std::ranges::sort(milliseconds);
  std::cout << fmt::format(
      "guardian: outage of a removed path: median {:.3f} ms, worst {:.3f} ms\n", milliseconds[30],
      milliseconds.back());
}

TEST_CASE("a live owner keeps the path, and perch says so until that one ends") {
  World world;
  const ino_t inode = inode_of(world.path);
  UniqueFd owner = listen_at(world.run + "/other");
  fs::rename(world.run + "/other", world.path);
  const ino_t its_inode = inode_of(world.path);
  CHECK(wait_until([&] { return world.listener()["state"] == "lost"; }));
  CHECK(world.events("listener-lost") == 1);
  CHECK(inode_of(world.path) == its_inode);
  SUBCASE("perch ends meanwhile, and its exit code is that of an owned path") {
    world.perch.process().signal(SIGTERM);
    CHECK(world.perch.process().wait() == exited(3));
    CHECK(inode_of(world.path) == its_inode);
  }
  SUBCASE("the owner ends") {
    owner.reset();
    CHECK(world.reaches("replaced", 1));
    CHECK(inode_of(world.path) == inode);
    CHECK(ask(world.path, "ping"));
  }
}

TEST_CASE("a daemon that binds the path again and again is not fought") {
  World world;
  UniqueFd daemon;
  for (int i = 0; i < 300; ++i) {
    UniqueFd next;
    while (!next) {
      fs::remove(world.path);
      next = listen_at(world.path);
    }
    daemon = std::move(next);
  }
  const ino_t its_inode = inode_of(world.path);
  CHECK(wait_until([&] { return world.listener()["state"] == "lost"; }));
  CHECK(inode_of(world.path) == its_inode);
  CHECK(world.listener()["heals"] <= 20);
  CHECK(Client(world.path).error() == 0);
}

TEST_CASE("a worker that shuts its listener down costs one inode and is given the new one") {
  Setting setting;
  bool same_process = false;
  SUBCASE("listen-fds: it is restarted") {}
  SUBCASE("stdin: it is restarted") { setting.handover = "stdin"; }
  SUBCASE("channel: it is handed the new one") {
    setting.handover = "channel";
    same_process = true;
  }
  World world(setting);
  const ino_t inode = inode_of(world.path);
  const Reply first = ask_newer(world.path, 0);
  ask(world.path, "shutdown");
  CHECK(world.reaches("reclaimed", 1));
  CHECK(inode_of(world.path) != inode);
  const Reply second = ask_newer(world.path, same_process ? 0 : first.generation);
  CHECK((second.pid == first.pid) == same_process);
  CHECK(world.perch.worker()["starts"] == (same_process ? 1 : 2));
  fs::remove(world.path);
  CHECK(world.reaches("removed", 1));
}

TEST_CASE("a worker that shuts its listener down and exits ends as its restart policy says") {
  SUBCASE("never: perch ends with it, with its exit code") {
    World world({.handover = "stdin", .restart = "policy = \"never\""});
    ask(world.path, "leave 7");
    CHECK(world.perch.process().wait() == exited(7));
  }
  SUBCASE("always: its death is a death, and the next one has a socket that clients reach") {
    World world({.handover = "stdin"});
    for (std::uint64_t death = 1; death <= 10; ++death) {
      ask_newer(world.path, death - 1);
      ask(world.path, "leave 7");
      CHECK(world.reaches("reclaimed", death));
      CHECK(ask_newer(world.path, death).generation == death + 1);
    }
    CHECK(world.perch.worker()["starts"] == 11);
    CHECK(world.perch.worker()["deaths"]["exit"] == 10);
  }
}

TEST_CASE("a client that bind-mounted the socket file still connects after fifty deaths") {
  if (!have(is_root(), "needs root: a mount namespace")) return;
  World world;
  const std::string mounted = world.run + "/mounted";
  const Process client({.argv = {"unshare", "-m", "sh", "-c",
                                 "touch $2 && mount --bind $1 $2 && echo ready && exec sleep 1000",
                                 "sh", world.path, mounted}});
  REQUIRE(wait_until([&] { return client.out() == "ready\n"; }));
  const std::string seen = fmt::format("/proc/{}/root{}", client.pid(), mounted);
  std::uint64_t generation = 0;
  for (int death = 0; death < 50; ++death) {
    const Reply reply = ask_newer(world.path, generation);
    generation = reply.generation;
    REQUIRE(::kill(reply.pid, SIGKILL) == 0);
    if (death % 10 == 0) fs::remove(world.path);
  }
  CHECK(ask_newer(seen, generation).generation == generation + 1);
  CHECK(world.heals("removed") == 5);
}

TEST_CASE("a mode that is not configured is the worker's, and status shows it") {
  World world({.listener = ""});
  REQUIRE(::chmod(world.path.c_str(), 0751) == 0);
  CHECK(wait_until([&] { return world.listener()["mode"] == "0751"; }));
  fs::remove(world.path);
  CHECK(world.reaches("removed", 1));
  CHECK(world.listener()["mode"] == "0751");
  CHECK(world.heals("mode") == 0);
}

TEST_CASE("what perch does to its paths itself is nobody's mishap") {
  World world;
  world.reload(world.config({.listener = "mode = \"0600\""}));
  CHECK(world.listener()["mode"] == "0600");
  world.reload(world.config({.listener = "mode = \"0600\"\non_exit = \"unlink\""}, "moved"));
  CHECK(wait_until([&] { return inode_of(world.path) == 0; }));
  CHECK(world.listener()["heals"] == 0);
  CHECK(ask_newer(world.run + "/moved.sock", 0).generation != 0);
  world.perch.process().signal(SIGTERM);
  CHECK(world.perch.process().wait() == exited(0));
  CHECK(inode_of(world.run + "/moved.sock") == 0);
  CHECK(world.perch.log().find("not at its path") == std::string::npos);
}

TEST_CASE("a worker that removes the path as it ends leaves it to the next perch all the same") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("api.sock");
  PerchProcess perch(
      directory, fmt::format("[listeners.api]\npath = \"{0}\"\n[workers.app]\ncommand = [\"sh\", "
                             "\"-c\", \"trap 'rm {0}; exit' TERM; echo up >&2; while :; do sleep "
                             "0.01; done\"]\nlisteners = [\"api\"]\n",
                             path));
  REQUIRE(wait_until([&] { return perch.log().find("up\n") != std::string::npos; }));
  const ino_t inode = inode_of(path);
  perch.process().signal(SIGTERM);
  CHECK(perch.process().wait() == exited(0));
  CHECK(inode_of(path) == inode);
}

TEST_CASE("where nothing can be watched perch says so once and runs on") {
  if (!have(is_root(), "needs root: a user namespace")) return;
  World world({.prefix = {"unshare", "-Ur", "sh", "-c",
                          "echo 0 > /proc/sys/user/max_inotify_watches && exec \"$@\"", "sh"}});
  CHECK(world.listener()["guarded"] == false);
  CHECK(world.perch.log().find("max_user_watches") != std::string::npos);
  CHECK(ask(world.path, "ping"));
}

TEST_CASE("a backlog that a worker made smaller is restored when the next one serves") {
  Setting setting;
  bool restored = true;
  SUBCASE("clients see perch as their peer") {}
  SUBCASE("peercred = worker leaves both as the worker set them") {
    setting.listener = "peercred = \"worker\"";
    restored = false;
  }
  World world(setting);
  const auto backlog = world.listener()["backlog"];
  if (!have(backlog.is_number(), "needs sock_diag for Unix sockets")) return;
  const Reply first = ask_newer(world.path, 0);
  const auto peer = [&] { return peer_credentials(Client(world.path).fd())->pid; };
  CHECK(peer() == world.perch.pid());
  // Not before perch has set it a second time for this generation.
  CHECK(wait_until([&] {
    if (!ask(world.path, "listen 3")) return false;
    return world.listener()["backlog"] == 3 && peer() == first.pid;
  }));
  REQUIRE(::kill(first.pid, SIGKILL) == 0);
  ask_newer(world.path, first.generation);
  CHECK(wait_until([&] { return (world.listener()["backlog"] == backlog) == restored; }));
  CHECK(peer() == (restored ? world.perch.pid() : first.pid));
  CHECK((world.listener()["backlog_restored"] >= 1) == restored);
  CHECK((world.events("backlog-restored") >= 1) == restored);
  setting.listener = "mode = \"0600\"";
  if (!restored) setting.listener += "\npeercred = \"worker\"";
  world.reload(world.config(setting));
  CHECK(world.listener()["mode"] == "0600");
  CHECK(peer() == (restored ? world.perch.pid() : first.pid));
}

TEST_CASE("clients that connect do not wake perch") {
  World world;
  const auto wake_ups = [&] {
    return std::stoul(status_field(world.perch.pid(), "voluntary_ctxt_switches"));
  };
  // A start is over when the listeners were set right once more, a second after it.
  unsigned long before = 0;
  REQUIRE(wait_until([&] {
    before = wake_ups();
    return !wait_until([&] { return wake_ups() != before; }, std::chrono::milliseconds(1500));
  }));
  ClientStorm storm(ClientStorm::Target{.path = world.path});
  CHECK(wait_until([&] { return storm.served() > 2'000; }));
  storm.stop();
  CHECK(wake_ups() - before <= 2);
}

}  // namespace perch::test
