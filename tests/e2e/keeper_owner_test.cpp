// SPDX-License-Identifier: Apache-2.0
// Whose the things are that a keeper has: a perch that lives is not robbed of them, and nobody who
// is not let in gets any.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>

#include <filesystem>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"
#include "tests/support/keeper_world.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/sign_of_life.h"

namespace perch::test {
namespace {

// One exchange with the keeper, as a perch.
Datagram say(const UniqueFd& keeper, const std::string& text, const std::vector<int>& fds = {}) {
  REQUIRE(send_datagram(keeper.get(), text, fds));
  std::optional<Datagram> answer;
  REQUIRE(wait_until([&] {
    auto datagram = receive_datagram(keeper.get());
    if (datagram) answer = std::move(*datagram);
    return answer.has_value();
  }));
  return std::move(*answer);
}

UniqueFd greet(const KeeperWorld& world, const SignOfLife& life) {
  auto line = unix_connect(world.socket(), SOCK_SEQPACKET, Blocking::No);
  REQUIRE(line);
  REQUIRE(say(*line, "HELLO=1\n", {life.seen()}).payload.starts_with("WELCOME=1"));
  return std::move(*line);
}

// What is kept stays the same; what is said of it does not.
void change_facts(const KeeperWorld& world, const std::string& facts) {
  const UniqueFd line = greet(world, SignOfLife());
  const Datagram kept = say(line, "FETCH=\n");
  REQUIRE(kept.fds.size() == 3);
  const std::vector<int> fds{kept.fds[0].get(), kept.fds[1].get(), kept.fds[2].get()};
  REQUIRE(say(line, "KEEP=" + world.api() + "\nFACTS=" + facts + "\n", fds)
              .payload.starts_with("KEPT="));
  REQUIRE(send_datagram(line.get(), "BYE=1\n"));
}

// A perch of another configuration, with the same keeper.
class Neighbour {
 public:
  explicit Neighbour(const KeeperWorld& world)
      : perch_(directory_, app_config(directory_), {.arguments = {"--keeper", world.socket()}}) {
    REQUIRE(perch_.wait_ready());
  }
  PerchProcess& perch() { return perch_; }

 private:
  TemporaryDirectory directory_;
  PerchProcess perch_;
};

}  // namespace

TEST_CASE("a second perch is refused while the first lives, and then touches nothing of it") {
  KeeperWorld world;
  const auto keeper = world.keep();
  const auto first = world.run();
  KeeperWorld::wait_kept(*first);
  Neighbour second(world);
  CHECK(second.perch().log().contains(
      fmt::format("it serves perch (pid {}, uid 0), which lives", first->pid())));
  CHECK(KeeperWorld::kept(second.perch()) == -1);
  CHECK(KeeperWorld::kept(*first) == 1);
  KeeperWorld::kill(*first);
  KeeperWorld::wait_kept(second.perch());
  CHECK(Client(world.api()).error() == 0);
}

TEST_CASE("a perch whose pid its keeper cannot see is not robbed while it lives") {
  if (!have(is_root() && is_installed("unshare"), "needs root: unshare --pid")) return;
  KeeperWorld world;
  const auto keeper = world.keep({}, {"unshare", "--pid", "--fork", "--kill-child"});
  SignOfLife life;
  CHECK(say(greet(world, life), "nonsense").payload.starts_with("REFUSED="));
  auto perch = world.run();
  CHECK(perch->log().contains("it serves perch (in another container, uid 0), which lives"));
  life.end();
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  perch = world.run();
  CHECK(perch->status()["listeners"]["api"]["claimed"] == "revived");
}

TEST_CASE("of what a keeper has a perch drops at its start what its own configuration once named") {
  KeeperWorld world;
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  SUBCASE("another's stays, with its clients") {
    Neighbour other(world);
    KeeperWorld::wait_kept(other.perch());
    CHECK(Client(world.api()).error() == 0);
  }
  SUBCASE("its own goes") {
    world.config = fmt::format(
        "[listeners.api]\npath = \"{}2\"\n[workers.app]\ncommand = {}\nlisteners = [\"api\"]\n",
        world.api(), worker_command("listen-fds"));
    perch = world.run();
    KeeperWorld::wait_kept(*perch);
    CHECK(perch->log().contains("drops " + world.api()));
    CHECK(wait_until([&] { return Client(world.api()).error() == ECONNREFUSED; }));
  }
}

TEST_CASE("perch trusts no keeper of another user, and a keeper no perch of one") {
  if (!have(is_root(), "needs root: setpriv")) return;
  KeeperWorld world;
  std::filesystem::permissions(std::filesystem::path(world.api()).parent_path(),
                               std::filesystem::perms::all);
  const std::vector<std::string> as_nobody{"setpriv", "--reuid=65534", "--clear-groups"};
  SUBCASE("a stranger's keeper") {
    std::vector<std::string> argv = as_nobody;
    argv.insert(argv.end(), {perch_binary(), "keep", "--socket", world.socket(), "--user", "0"});
    Process keeper({.argv = argv});
    REQUIRE(wait_until([&] { return keeper.err().contains("keeps sockets at"); }));
    const auto perch = world.run();
    CHECK(perch->log().contains("is uid 65534's, and perch trusts root and its own user alone"));
  }
  SUBCASE("a stranger's perch") {
    const auto keeper = world.keep({"--user", "1"});
    const auto perch = world.run({.prefix = as_nobody});
    CHECK(perch->log().contains("uid 65534 may not use this keeper"));
  }
  SUBCASE("a perch of a user that is let in") {
    const auto keeper = world.keep({"--user", "65534"});
    const auto perch = world.run({.prefix = as_nobody});
    CHECK(perch->log().contains("is uid 0's") == false);
    KeeperWorld::wait_kept(*perch);
  }
}

TEST_CASE("a perch whose keeper hung when a reload took it away is not robbed of what it serves") {
  KeeperWorld world;
  const auto keeper = world.keep();
  const TemporaryDirectory directory;
  const std::string app = fmt::format(
      "[listeners.api]\npath = \"{}\"\n[listeners.other]\npath = \"{}\"\n[workers.app]\n"
      "command = {}\nlisteners = [\"api\", \"other\"]\n",
      directory.path("api.sock"), directory.path("other.sock"), worker_command("listen-fds"));
  PerchProcess first(directory, fmt::format("keeper = \"{}\"\n{}", world.socket(), app));
  REQUIRE(wait_until([&] { return KeeperWorld::kept(first) == 2; }));
  keeper->signal(SIGSTOP);
  first.write_config(app);
  REQUIRE(first.request("POST", "/v1/reload").status == 200);
  keeper->signal(SIGCONT);
  const auto second = world.run();
  CHECK(second->log().contains(fmt::format("it serves perch (pid {}, uid 0)", first.pid())));
  CHECK(ask(directory.path("api.sock"), "ping"));
  KeeperWorld::kill(first);
  KeeperWorld::wait_kept(*second);
}

TEST_CASE("a perch that does not ask the keeper finds the path owned, and hears by whom") {
  KeeperWorld world;
  world.app.listener = "wait_for_owner = \"0s\"";
  const auto keeper = world.keep();
  auto perch = world.run();
  KeeperWorld::wait_kept(*perch);
  KeeperWorld::kill(*perch);
  const auto other = world.start_without_keeper();
  CHECK(other->process().wait() == exited(3));
  CHECK(other->log().contains("or by the keeper at " + world.socket()));
}

TEST_CASE("a stale socket of a dead keeper is replaced, and a live keeper is not") {
  KeeperWorld world;
  auto keeper = world.keep();
  const auto second = run_perch({"keep", "--socket", world.socket()});
  CHECK(second.ending == exited(1));
  CHECK(second.err.contains(world.socket() + " is held by"));
  keeper->signal(SIGKILL);
  REQUIRE(keeper->wait() == killed_by(SIGKILL));
  keeper = world.keep();
  keeper->signal(SIGTERM);
  CHECK(keeper->wait() == exited(0));
  CHECK(inode_of(world.socket()) == 0);
}

TEST_CASE("a keeper in a user namespace lets nobody in who has no id there") {
  const bool can =
      is_root() && is_installed("setpriv") && is_installed("unshare") &&
      run({.argv = {"unshare", "--user", "--map-root-user", "true"}}).ending == exited(0);
  if (!have(can, "needs root, setpriv and user namespaces")) return;
  KeeperWorld world;
  std::filesystem::permissions(std::filesystem::path(world.api()).parent_path(),
                               std::filesystem::perms::all);
  Process keeper({.argv = {"unshare", "--user", "--map-root-user", perch_binary(), "keep",
                           "--socket", world.socket(), "--user", "65534"}});
  REQUIRE(wait_until([&] { return keeper.err().contains("keeps sockets at"); }));
  const auto perch = world.run({.prefix = {"setpriv", "--reuid=1001", "--clear-groups"}});
  CHECK(perch->log().contains("stands for all who have no id"));
  CHECK(KeeperWorld::kept(*perch) == -1);
}

TEST_CASE("what another version left with the keeper is dropped, and the path is claimed") {
  KeeperWorld world;
  world.app.listener = "wait_for_owner = \"0s\"";
  const auto keeper = world.keep();
  {
    auto perch = world.run();
    KeeperWorld::wait_kept(*perch);
    KeeperWorld::kill(*perch);
  }
  change_facts(world, "what nobody knows");
  const auto perch = world.run();
  CHECK(perch->log().contains("was kept for another version of perch"));
  CHECK(ask(world.api(), "ping"));
}

}  // namespace perch::test
