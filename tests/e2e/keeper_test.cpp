// SPDX-License-Identifier: Apache-2.0
// A perch that is killed is started again on the same sockets: a keeper had them meanwhile, and no
// client noticed more than a pause. Whatever becomes of the keeper itself costs nothing.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"
#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/sign_of_life.h"
#include "tests/support/storm_check.h"

namespace perch::test {
namespace {

constexpr int kKills = 20;
// Those that a keeper starts again itself wait for its backoff.
constexpr int kKillsUnderBackoff = 5;

class World {
 public:
  [[nodiscard]] std::string socket() const { return directory_.path("keep.sock"); }
  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }

  std::unique_ptr<Process> keep(const std::vector<std::string>& options = {},
                                const std::vector<std::string>& prefix = {}) const {
    std::vector<std::string> argv = prefix;
    argv.insert(argv.end(), {perch_binary(), "keep", "--socket", socket()});
    argv.insert(argv.end(), options.begin(), options.end());
    auto keeper = std::make_unique<Process>(Command{.argv = argv});
    REQUIRE(wait_until([&] { return keeper->err().contains("keeps sockets at"); }));
    return keeper;
  }
  std::unique_ptr<PerchProcess> start(Surroundings around = {}) const {
    around.arguments = {"--keeper", socket()};
    return std::make_unique<PerchProcess>(
        directory_, config.empty() ? app_config(directory_, app) : config, around);
  }
  std::unique_ptr<PerchProcess> start_without_keeper() const {
    return std::make_unique<PerchProcess>(directory_, app_config(directory_, app));
  }
  std::unique_ptr<PerchProcess> run(const Surroundings& around = {}) const {
    auto perch = start(around);
    REQUIRE(perch->wait_ready());
    return perch;
  }
  // The keeper has the listener.
  static void wait_kept(const PerchProcess& perch) {
    REQUIRE(wait_until([&] { return kept(perch) == 1; }));
  }
  static int kept(const PerchProcess& perch) {
    const auto status = perch.status();
    if (!status.contains("perch") || !status["perch"]["keeper"].is_object()) return -1;
    const auto& keeper = status["perch"]["keeper"];
    return keeper["connected"] == true ? keeper["listeners"].get<int>() : -1;
  }
  static void kill(PerchProcess& perch) {
    perch.process().signal(SIGKILL);
    REQUIRE(perch.process().wait() == killed_by(SIGKILL));
  }

  AppConfig app;
  std::string config{};  // another than that of `app`

 private:
  TemporaryDirectory directory_;
};

void check_all_were_served(const StormCounts& counts) {
  CHECK(counts.served > 0);
  check_nobody_was_turned_away(counts);
}

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

UniqueFd greet(const World& world, const SignOfLife& life) {
  auto line = unix_connect(world.socket(), SOCK_SEQPACKET, Blocking::No);
  REQUIRE(line);
  REQUIRE(say(*line, "HELLO=1\n", {life.seen()}).payload.starts_with("WELCOME=1"));
  return std::move(*line);
}

// What is kept stays the same; what is said of it does not.
void change_facts(const World& world, const std::string& facts) {
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
  explicit Neighbour(const World& world)
      : perch_(directory_, app_config(directory_), {.arguments = {"--keeper", world.socket()}}) {
    REQUIRE(perch_.wait_ready());
  }
  PerchProcess& perch() { return perch_; }

 private:
  TemporaryDirectory directory_;
  PerchProcess perch_;
};

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

void wait_served(const ClientStorm& storm, std::uint64_t more) {
  const auto wanted = storm.served() + more;
  REQUIRE(wait_until([&] { return storm.served() >= wanted; }));
}

}  // namespace

TEST_CASE("20 times perch is killed and started again under clients, and none is refused") {
  World world;
  const auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  ClientStorm storm({.path = world.api()});
  for (int i = 0; i < kKills; ++i) {
    wait_served(storm, 50);
    World::kill(*perch);
    perch = world.run();
    CHECK(perch->status()["listeners"]["api"]["claimed"] == "revived");
    World::wait_kept(*perch);
  }
  wait_served(storm, 50);
  check_all_were_served(storm.stop());
}

TEST_CASE("a keeper that runs perch starts it again each time, and no client is refused") {
  World world;
  const auto perch =
      world.run({.prefix = {perch_binary(), "keep", "--socket", world.socket(), "--"}});
  ClientStorm storm({.path = world.api()});
  for (int i = 0; i < kKillsUnderBackoff; ++i) {
    World::wait_kept(*perch);
    wait_served(storm, 50);
    const pid_t pid = perch->status()["perch"]["pid"];
    REQUIRE(::kill(pid, SIGKILL) == 0);
    REQUIRE(wait_until([&] {
      const auto status = perch->status();
      return status.contains("perch") && status["perch"]["pid"] != pid;
    }));
  }
  wait_served(storm, 50);
  check_all_were_served(storm.stop());
  perch->process().signal(SIGTERM);
  CHECK(perch->process().wait() == exited(0));
}

TEST_CASE("clients wait in the backlog while no perch lives") {
  World world;
  const auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  World::kill(*perch);
  Client client(world.api());
  REQUIRE(client.error() == 0);
  REQUIRE(client.send("ping\n"));
  perch = world.run();
  const auto line = client.line();
  REQUIRE(line);
  CHECK(parse_reply(*line)->text == "pong");
}

TEST_CASE("every hand-over serves on a listener that a keeper had") {
  World world;
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
  World::wait_kept(*perch);
  const ino_t inode = inode_of(world.api());
  World::kill(*perch);
  perch = world.run();
  CHECK(inode_of(world.api()) == inode);
  Client client(world.api());
  REQUIRE(client.send("ping\n"));
  CHECK(client.line());
}

TEST_CASE("a keeper that is killed costs no client, and the next one has everything again") {
  World world;
  auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  ClientStorm storm({.path = world.api()});
  wait_served(storm, 50);
  keeper->signal(SIGKILL);
  REQUIRE(wait_until([&] { return World::kept(*perch) < 0; }));
  wait_served(storm, 50);
  keeper = world.keep();
  World::wait_kept(*perch);
  World::kill(*perch);
  perch = world.run();
  CHECK(perch->status()["listeners"]["api"]["claimed"] == "revived");
  wait_served(storm, 50);
  check_all_were_served(storm.stop());
}

TEST_CASE("a keeper in another container is the protection where there is no better one") {
  if (!have(is_root(), "needs root: setpriv")) return;
  World world;
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
  World world;
  const auto perch = world.run();
  CHECK(perch->log().contains("perch runs on without it, and tries again"));
  const auto keeper = world.keep();
  World::wait_kept(*perch);
}

TEST_CASE("a second perch is refused while the first lives, and then touches nothing of it") {
  World world;
  const auto keeper = world.keep();
  const auto first = world.run();
  World::wait_kept(*first);
  Neighbour second(world);
  CHECK(second.perch().log().contains(
      fmt::format("it serves perch (pid {}, uid 0), which lives", first->pid())));
  CHECK(World::kept(second.perch()) == -1);
  CHECK(World::kept(*first) == 1);
  World::kill(*first);
  World::wait_kept(second.perch());
  CHECK(Client(world.api()).error() == 0);
}

TEST_CASE("a perch whose pid its keeper cannot see is not robbed while it lives") {
  if (!have(is_root() && is_installed("unshare"), "needs root: unshare --pid")) return;
  World world;
  const auto keeper = world.keep({}, {"unshare", "--pid", "--fork", "--kill-child"});
  SignOfLife life;
  CHECK(say(greet(world, life), "nonsense").payload.starts_with("REFUSED="));
  auto perch = world.run();
  CHECK(perch->log().contains("it serves perch (in another container, uid 0), which lives"));
  life.end();
  World::wait_kept(*perch);
  World::kill(*perch);
  perch = world.run();
  CHECK(perch->status()["listeners"]["api"]["claimed"] == "revived");
}

TEST_CASE("of what a keeper has a perch drops at its start what its own configuration once named") {
  World world;
  const auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  World::kill(*perch);
  SUBCASE("another's stays, with its clients") {
    Neighbour other(world);
    World::wait_kept(other.perch());
    CHECK(Client(world.api()).error() == 0);
  }
  SUBCASE("its own goes") {
    world.config = fmt::format(
        "[listeners.api]\npath = \"{}2\"\n[workers.app]\ncommand = {}\nlisteners = [\"api\"]\n",
        world.api(), worker_command("listen-fds"));
    perch = world.run();
    World::wait_kept(*perch);
    CHECK(perch->log().contains("drops " + world.api()));
    CHECK(wait_until([&] { return Client(world.api()).error() == ECONNREFUSED; }));
  }
}

TEST_CASE("what a keeper had no room for it gets once there is room") {
  World world;
  const auto keeper = world.keep();
  rlimit all{};
  REQUIRE(::prlimit(keeper->pid(), RLIMIT_NOFILE, nullptr, &all) == 0);
  // For the connection and the sign of life.
  const rlimit few = room_for(keeper->pid(), 2);
  REQUIRE(::prlimit(keeper->pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
  const auto perch = world.run();
  REQUIRE(wait_until([&] { return perch->log().contains("that listener is not kept"); }));
  CHECK(World::kept(*perch) == 0);
  REQUIRE(::prlimit(keeper->pid(), RLIMIT_NOFILE, &all, nullptr) == 0);
  World::wait_kept(*perch);
  CHECK(perch->log().contains("it keeps all 1 listener(s) now"));
}

TEST_CASE("perch trusts no keeper of another user, and a keeper no perch of one") {
  if (!have(is_root(), "needs root: setpriv")) return;
  World world;
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
    World::wait_kept(*perch);
  }
}

TEST_CASE("a path that was removed while perch was dead is healed with the same inode") {
  World world;
  const auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  const ino_t inode = inode_of(world.api());
  World::kill(*perch);
  REQUIRE(::unlink(world.api().c_str()) == 0);
  perch = world.run();
  CHECK(inode_of(world.api()) == inode);
  CHECK(perch->log().contains("its path was removed and is linked again"));
}

TEST_CASE("where the path and its spare link are gone the listener is claimed anew") {
  World world;
  const auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  World::kill(*perch);
  REQUIRE(::unlink(world.api().c_str()) == 0);
  const auto spare = std::filesystem::path(world.api()).parent_path() / ".api.sock.perch";
  REQUIRE(::unlink(spare.c_str()) == 0);
  perch = world.run();
  CHECK(perch->log().contains("is of no use, and it is claimed anew: its socket file was removed"));
  CHECK(perch->status()["listeners"]["api"]["claimed"] == "bound");
  CHECK(ask(world.api(), "ping"));
  World::wait_kept(*perch);
}

TEST_CASE("a perch that does not ask the keeper finds the path owned, and hears by whom") {
  World world;
  world.app.listener = "wait_for_owner = \"0s\"";
  const auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  World::kill(*perch);
  const auto other = world.start_without_keeper();
  CHECK(other->process().wait() == exited(3));
  CHECK(other->log().contains("or by the keeper at " + world.socket()));
}

TEST_CASE("a stop leaves the listener with the keeper, or takes it back with its path") {
  World world;
  const auto keeper = world.keep();
  SUBCASE("on_exit = keep") {
    const auto perch = world.run();
    World::wait_kept(*perch);
    perch->process().signal(SIGTERM);
    REQUIRE(perch->process().wait() == exited(0));
    CHECK(Client(world.api()).error() == 0);
    CHECK(keeper->err().contains("is gone; 1 listener(s) are kept for the next"));
  }
  SUBCASE("on_exit = unlink") {
    world.app.listener = "on_exit = \"unlink\"";
    const auto perch = world.run();
    World::wait_kept(*perch);
    perch->process().signal(SIGTERM);
    REQUIRE(perch->process().wait() == exited(0));
    CHECK(inode_of(world.api()) == 0);
    CHECK(keeper->err().contains("is gone; 0 listener(s) are kept for the next"));
  }
}

TEST_CASE("a reload's listeners are kept, and those that it retires are not") {
  World world;
  const auto keeper = world.keep();
  const auto perch = world.run();
  World::wait_kept(*perch);
  TemporaryDirectory more;
  const std::string config = fmt::format(
      "[listeners.other]\npath = \"{}\"\n[workers.app]\ncommand = {}\nlisteners = [\"other\"]\n",
      more.path("o.sock"), worker_command("listen-fds"));
  perch->write_config(config);
  REQUIRE(perch->request("POST", "/v1/reload").status == 200);
  REQUIRE(wait_until([&] { return inode_of(world.api()) == 0 && World::kept(*perch) == 1; }));
  World::kill(*perch);
  CHECK(Client(more.path("o.sock")).error() == 0);
}

TEST_CASE("a stale socket of a dead keeper is replaced, and a live keeper is not") {
  World world;
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

TEST_CASE("a command of the keeper that exits ends it with its code; one that is killed returns") {
  World world;
  const auto run = [&](std::vector<std::string> command) {
    std::vector<std::string> argv{"keep", "--socket", world.socket(), "--"};
    argv.insert(argv.end(), command.begin(), command.end());
    return run_perch(argv);
  };
  CHECK(run({"sh", "-c", "exit 7"}).ending == exited(7));
  CHECK(run({"/does/not/exist"}).ending == exited(127));
  const std::string mark = world.api();
  const auto again = run({"sh", "-c", "[ -e \"$0\" ] && exit 3; : > \"$0\"; kill -9 $$", mark});
  CHECK(again.ending == exited(3));
  CHECK(again.err.contains("killed by SIGKILL; it is started again"));
}

TEST_CASE("the command of a keeper may do all that the keeper may") {
  World world;
  Process keeper({.argv = {perch_binary(), "keep", "--socket", world.socket(), "--", "sh", "-c",
                           "grep ^Cap /proc/$PPID/status; echo; grep ^Cap /proc/self/status"}});
  REQUIRE(keeper.wait() == exited(0));
  const std::string out = keeper.out();
  const std::string own = status_field(::getpid(), "CapEff");
  for (const std::string& field : {"CapEff:\t" + own, std::string("CapBnd:\t")}) {
    const auto one = out.find(field);
    const auto other = out.find(field, one + 1);
    REQUIRE(one != std::string::npos);
    REQUIRE(other != std::string::npos);
    CHECK(out.substr(one, out.find('\n', one) - one) ==
          out.substr(other, out.find('\n', other) - other));
  }
}

TEST_CASE("a command that is away for a while is tried now and then, not without a pause") {
  const World world;
  const TemporaryDirectory directory;
  const std::string program = directory.path("program");
  const auto write_program = [&](const std::string& body) {
    write_text(program + ".new", "#!/bin/sh\n" + body);
    REQUIRE(::chmod((program + ".new").c_str(), 0755) == 0);
    REQUIRE(::rename((program + ".new").c_str(), program.c_str()) == 0);
  };
  write_program("rm \"$0\"; kill -9 $$\n");
  Process keeper({.argv = {perch_binary(), "keep", "--socket", world.socket(), "--", program}});
  REQUIRE(wait_until([&] { return keeper.err().contains("No such file"); }));
  write_program("exit 3\n");
  CHECK(keeper.wait() == exited(3));
  const std::string log = keeper.err();
  CHECK(log.find("No such file") == log.rfind("No such file"));
}

TEST_CASE("a keeper in a user namespace lets nobody in who has no id there") {
  const bool can =
      is_root() && is_installed("setpriv") && is_installed("unshare") &&
      run({.argv = {"unshare", "--user", "--map-root-user", "true"}}).ending == exited(0);
  if (!have(can, "needs root, setpriv and user namespaces")) return;
  World world;
  std::filesystem::permissions(std::filesystem::path(world.api()).parent_path(),
                               std::filesystem::perms::all);
  Process keeper({.argv = {"unshare", "--user", "--map-root-user", perch_binary(), "keep",
                           "--socket", world.socket(), "--user", "65534"}});
  REQUIRE(wait_until([&] { return keeper.err().contains("keeps sockets at"); }));
  const auto perch = world.run({.prefix = {"setpriv", "--reuid=1001", "--clear-groups"}});
  CHECK(perch->log().contains("stands for all who have no id"));
  CHECK(World::kept(*perch) == -1);
}

TEST_CASE("a start that fails for an unknown user leaves the kept listener where it is") {
  World world;
  const auto keeper = world.keep();
  auto perch = world.run();
  World::wait_kept(*perch);
  const ino_t inode = inode_of(world.api());
  World::kill(*perch);
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

TEST_CASE("what another version left with the keeper is dropped, and the path is claimed") {
  World world;
  world.app.listener = "wait_for_owner = \"0s\"";
  const auto keeper = world.keep();
  {
    auto perch = world.run();
    World::wait_kept(*perch);
    World::kill(*perch);
  }
  change_facts(world, "what nobody knows");
  const auto perch = world.run();
  CHECK(perch->log().contains("was kept for another version of perch"));
  CHECK(ask(world.api(), "ping"));
}

TEST_CASE("a kept listener has the backlog of the configuration, whoever is the clients' peer") {
  World world;
  world.app.listener = "peercred = \"worker\"\nbacklog = 10";
  const auto keeper = world.keep();
  auto perch = world.run();
  if (!have(perch->status()["listeners"]["api"]["backlog"].is_number(),
            "needs sock_diag for Unix sockets")) {
    return;
  }
  World::wait_kept(*perch);
  World::kill(*perch);
  world.app.listener = "peercred = \"worker\"\nbacklog = 20";
  perch = world.run();
  CHECK(perch->status()["listeners"]["api"]["backlog"] == 20);
}

}  // namespace perch::test
