// SPDX-License-Identifier: Apache-2.0
// A perch that is killed is started again on the same sockets: a keeper had them meanwhile, and no
// client noticed more than a pause. Whatever becomes of the keeper itself costs nothing.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "tests/support/keeper_world.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

constexpr int kKills = 20;

// Under which `pid` can have just so many descriptors more.
rlimit room_for(pid_t pid, int more) {
  rlimit limit{};
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
  const std::string directory = fmt::format("/proc/{}/fd/", pid);
  for (limit.rlim_cur = 0; more > 0; ++limit.rlim_cur) {
    const bool is_free = !std::filesystem::is_symlink(directory + std::to_string(limit.rlim_cur));
    if (is_free) --more;
  }
  return limit;
}

}  // namespace

TEST_CASE("20 times perch is killed and started again under clients, and none is refused") {
  KeeperWorld world;
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  ClientStorm storm({.path = world.api()});
  for (int i = 0; i < kKills; ++i) {
    wait_served(storm, 50);
    KeeperWorld::kill(*perch);
    perch = world.run();
    CHECK(perch->status()["listeners"]["api"]["claimed"] == "revived");
    KeeperWorld::wait_kept(*perch);
  }
  wait_served(storm, 50);
  check_all_were_served(storm.stop());
}

TEST_CASE("clients wait in the backlog while no perch lives") {
  KeeperWorld world;
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  Client client(world.api());
  REQUIRE(client.error() == 0);
  REQUIRE(client.send("ping\n"));
  perch = world.run();
  const auto line = client.line();
  REQUIRE(line);
  CHECK(parse_reply(*line)->text == "pong");
}

TEST_CASE("every hand-over serves on a listener that a keeper had") {
  KeeperWorld world;
  SUBCASE("channel") { world.app.handover = "channel"; }
  SUBCASE("stdin") { world.app.handover = "stdin"; }
  SUBCASE("intercept") {
    world.config = fmt::format(
        "[listeners.api]\npath = \"{0}\"\n[workers.app]\ncommand = [\"{1}\", \"{0}\"]\n"
        "listeners = [\"api\"]\nhandover = \"intercept\"\n",
        world.api(), from_build("PERCH_SOURCE") + "/tests/fixtures/unmodified_daemon.py");
  }
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  const ino_t inode = inode_of(world.api());
  KeeperWorld::kill(*perch);
  perch = world.run();
  CHECK(inode_of(world.api()) == inode);
  Client client(world.api());
  REQUIRE(client.send("ping\n"));
  CHECK(client.line());
}

TEST_CASE("a keeper that is killed costs no client, and the next one has everything again") {
  KeeperWorld world;
  auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  ClientStorm storm({.path = world.api()});
  wait_served(storm, 50);
  keeper->signal(SIGKILL);
  REQUIRE(wait_until([&] { return KeeperWorld::kept(*perch) < 0; }));
  wait_served(storm, 50);
  keeper = world.keep();
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  perch = world.run();
  CHECK(perch->status()["listeners"]["api"]["claimed"] == "revived");
  wait_served(storm, 50);
  check_all_were_served(storm.stop());
}

TEST_CASE("a keeper in another container is the protection where there is no better one") {
  if (!have(is_root(), "needs root: setpriv")) return;
  KeeperWorld world;
  const Surroundings unprivileged{
      .prefix = {"setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"}};
  const auto tier = [](const PerchProcess& perch) -> std::string {
    return perch.status()["perch"]["oom_protection"]["tier"];
  };
  std::string before;
  {
    const auto perch = world.run(unprivileged);
    before = tier(*perch);
  }
  const std::string expected = before == "c" || before == "d" ? "k" : before;
  const auto keeper = world.keep();
  const auto perch = world.run(unprivileged);
  CHECK(tier(*perch) == expected);
  CHECK(perch->log().contains("oom protection " + expected + ": "));
  keeper->signal(SIGKILL);
  CHECK(wait_until([&] { return tier(*perch) == before; }));
}

TEST_CASE("perch runs without its keeper, says so once, and finds it when it comes") {
  KeeperWorld world;
  const auto perch = world.run();
  CHECK(perch->log().contains("perch runs on without it, and tries again"));
  const auto keeper = world.keep();
  KeeperWorld::wait_kept(*perch);
}

TEST_CASE("what a keeper had no room for it gets once there is room") {
  KeeperWorld world;
  const auto keeper = world.keep();
  rlimit all{};
  REQUIRE(::prlimit(keeper->pid(), RLIMIT_NOFILE, nullptr, &all) == 0);
  // For the connection and the sign of life.
  const rlimit few = room_for(keeper->pid(), 2);
  REQUIRE(::prlimit(keeper->pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
  const auto perch = world.run();
  REQUIRE(wait_until([&] { return perch->log().contains("that listener is not kept"); }));
  CHECK(KeeperWorld::kept(*perch) == 0);
  REQUIRE(::prlimit(keeper->pid(), RLIMIT_NOFILE, &all, nullptr) == 0);
  KeeperWorld::wait_kept(*perch);
  CHECK(perch->log().contains("it keeps all 1 listener(s) now"));
}

TEST_CASE("a path that was removed while perch was dead is healed with the same inode") {
  KeeperWorld world;
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  const ino_t inode = inode_of(world.api());
  KeeperWorld::kill(*perch);
  REQUIRE(::unlink(world.api().c_str()) == 0);
  perch = world.run();
  CHECK(inode_of(world.api()) == inode);
  CHECK(perch->log().contains("its path was removed and is linked again"));
}

TEST_CASE("where the path and its spare link are gone the listener is claimed anew") {
  KeeperWorld world;
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  REQUIRE(::unlink(world.api().c_str()) == 0);
  const auto spare = std::filesystem::path(world.api()).parent_path() / ".api.sock.perch";
  REQUIRE(::unlink(spare.c_str()) == 0);
  perch = world.run();
  CHECK(perch->log().contains("is of no use, and it is claimed anew: its socket file was removed"));
  CHECK(perch->status()["listeners"]["api"]["claimed"] == "bound");
  CHECK(ask(world.api(), "ping"));
  KeeperWorld::wait_kept(*perch);
}

TEST_CASE("a stop leaves the listener with the keeper, or takes it back with its path") {
  KeeperWorld world;
  const auto keeper = world.keep();
  SUBCASE("on_exit = keep") {
    const auto perch = world.run();
    KeeperWorld::wait_kept(*perch);
    perch->process().signal(SIGTERM);
    REQUIRE(perch->process().wait() == exited(0));
    CHECK(Client(world.api()).error() == 0);
    CHECK(keeper->err().contains("is gone; 1 listener(s) are kept for the next"));
  }
  SUBCASE("on_exit = unlink") {
    world.app.listener = "on_exit = \"unlink\"";
    const auto perch = world.run();
    KeeperWorld::wait_kept(*perch);
    perch->process().signal(SIGTERM);
    REQUIRE(perch->process().wait() == exited(0));
    CHECK(inode_of(world.api()) == 0);
    CHECK(keeper->err().contains("is gone; 0 listener(s) are kept for the next"));
  }
}

TEST_CASE("a reload's listeners are kept, and those that it retires are not") {
  KeeperWorld world;
  const auto keeper = world.keep();
  const auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  TemporaryDirectory more;
  const std::string config = fmt::format(
      "[listeners.other]\npath = \"{}\"\n[workers.app]\ncommand = {}\nlisteners = [\"other\"]\n",
      more.path("o.sock"), worker_command("listen-fds"));
  perch->write_config(config);
  REQUIRE(perch->request("POST", "/v1/reload").status == 200);
  REQUIRE(wait_until([&] { return inode_of(world.api()) == 0 && KeeperWorld::kept(*perch) == 1; }));
  KeeperWorld::kill(*perch);
  CHECK(Client(more.path("o.sock")).error() == 0);
}

TEST_CASE("a start that fails for an unknown user leaves the kept listener where it is") {
  KeeperWorld world;
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  const ino_t inode = inode_of(world.api());
  KeeperWorld::kill(*perch);
  Client waiting(world.api());
  REQUIRE(waiting.send("ping\n"));
  const std::string listener = std::exchange(world.app.listener, "user = \"no-such-user\"");
  perch = world.start();
  CHECK(perch->process().wait() == exited(1));
  CHECK(perch->log().contains("no-such-user"));
  world.app.listener = listener;
  perch = world.run();
  CHECK(inode_of(world.api()) == inode);
  CHECK(waiting.line());
}

TEST_CASE("a kept listener has the backlog of the configuration, whoever is the clients' peer") {
  KeeperWorld world;
  world.app.listener = "peercred = \"worker\"\nbacklog = 10";
  const auto keeper = world.keep();
  auto perch = world.run();
  if (!have(perch->status()["listeners"]["api"]["backlog"].is_number(),
            "needs sock_diag for Unix sockets")) {
    return;
  }
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  world.app.listener = "peercred = \"worker\"\nbacklog = 20";
  perch = world.run();
  CHECK(perch->status()["listeners"]["api"]["backlog"] == 20);
}

TEST_CASE("a keeper that hung when perch was started gives its listeners once it answers") {
  KeeperWorld world;
  world.app.listener = "wait_for_owner = \"30s\"";
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  keeper->signal(SIGSTOP);
  perch = world.start();
  REQUIRE(wait_until([&] { return perch->log().contains("waiting up to"); }));
  keeper->signal(SIGCONT);
  REQUIRE(perch->wait_ready());
  CHECK(perch->status()["listeners"]["api"]["claimed"] == "revived");
}

TEST_CASE("a start that fails leaves with the keeper what it had already taken up") {
  KeeperWorld world;
  const TemporaryDirectory more;
  const auto config = [&](const std::string& other) {
    return fmt::format(
        "[listeners.api]\npath = \"{}\"\non_exit = \"unlink\"\n[listeners.other]\npath = \"{}\"\n{}"
        "on_exit = \"unlink\"\n[workers.app]\ncommand = {}\nlisteners = [\"api\", \"other\"]\n",
        world.api(), more.path("o.sock"), other, worker_command("listen-fds"));
  };
  const auto has_both = [](const PerchProcess& perch) { return KeeperWorld::kept(perch) == 2; };
  world.config = config("");
  const auto keeper = world.keep();
  auto perch = world.run();
  REQUIRE(wait_until([&] { return has_both(*perch); }));
  const ino_t inode = inode_of(world.api());
  KeeperWorld::kill(*perch);
  Client waiting(world.api());
  REQUIRE(waiting.send("ping\n"));
  world.config = config("user = \"no-such-user\"\n");
  perch = world.start();
  CHECK(perch->process().wait() == exited(1));
  CHECK(perch->log().contains("no-such-user"));
  world.config = config("");
  perch = world.run();
  CHECK(inode_of(world.api()) == inode);
  CHECK(waiting.line());
}

}  // namespace perch::test
