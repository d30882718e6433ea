// SPDX-License-Identifier: Apache-2.0
// `perch keep -- COMMAND`: the command has all that the keeper has, and ends and returns as it is
// promised.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/posix/file.h"
#include "tests/support/keeper_world.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

// They wait for the keeper's backoff.
constexpr int kKills = 5;

std::vector<std::string> keep(const KeeperWorld& world,
                              const std::vector<std::string>& command = {}) {
  std::vector<std::string> argv{perch_binary(), "keep", "--socket", world.socket(), "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

// The keeper is the first process of a namespace, as in a container.
std::vector<std::string> keep_as_pid_1(const KeeperWorld& world,
                                       const std::vector<std::string>& command = {}) {
  std::vector<std::string> argv{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"};
  const std::vector<std::string> keeper = keep(world, command);
  argv.insert(argv.end(), keeper.begin(), keeper.end());
  return argv;
}

bool namespaces_possible() { return have(is_root(), "needs root: a PID namespace"); }

pid_t only_child(pid_t pid) {
  const std::vector<pid_t> children = children_of(pid);
  REQUIRE(children.size() == 1);
  return children.front();
}

// Until another one answers. `pid` is as seen from here.
void kill_charge(const PerchProcess& perch, pid_t pid) {
  KeeperWorld::wait_kept(perch);
  const auto before = perch.status()["perch"]["pid"];
  REQUIRE(::kill(pid, SIGKILL) == 0);
  REQUIRE(wait_until([&] {
    const auto status = perch.status();
    return status.contains("perch") && status["perch"]["pid"] != before;
  }));
}

}  // namespace

TEST_CASE("a keeper that runs perch starts it again each time, and no client is refused") {
  KeeperWorld world;
  const auto perch = world.run({.prefix = keep(world)});
  ClientStorm storm({.path = world.api()});
  for (int i = 0; i < kKills; ++i) {
    wait_served(storm, 50);
    kill_charge(*perch, perch->status()["perch"]["pid"]);
  }
  wait_served(storm, 50);
  check_all_were_served(storm.stop());
  perch->process().signal(SIGTERM);
  CHECK(perch->process().wait() == exited(0));
}

TEST_CASE("a command of the keeper that exits ends it with its code; one that is killed returns") {
  KeeperWorld world;
  const auto ran = [&](const std::vector<std::string>& command) {
    return run({.argv = keep(world, command)});
  };
  CHECK(ran({"sh", "-c", "exit 7"}).ending == exited(7));
  CHECK(ran({"/does/not/exist"}).ending == exited(127));
  const std::string mark = world.api();
  const auto again = ran({"sh", "-c", "[ -e \"$0\" ] && exit 3; : > \"$0\"; kill -9 $$", mark});
  CHECK(again.ending == exited(3));
  CHECK(again.err.contains("killed by SIGKILL; it is started again"));
}

TEST_CASE("a keeper that is PID 1 starts a killed perch again, and SIGTERM ends both") {
  if (!namespaces_possible()) return;
  KeeperWorld world;
  const auto perch = world.run({.prefix = keep_as_pid_1(world)});
  const pid_t keeper = only_child(perch->pid());
  ClientStorm storm({.path = world.api()});
  for (int i = 0; i < kKills; ++i) {
    wait_served(storm, 50);
    kill_charge(*perch, only_child(keeper));
  }
  wait_served(storm, 50);
  check_all_were_served(storm.stop());
  CHECK(read_file("/proc/" + std::to_string(keeper) + "/status")
            .value_or("")
            .contains("NSpid:\t" + std::to_string(keeper) + "\t1\n"));
  ::kill(keeper, SIGTERM);
  CHECK(perch->process().wait() == exited(0));
  CHECK(perch->log().contains("SIGTERM"));
}

TEST_CASE("a keeper that is PID 1 reaps what others leave to it") {
  if (!namespaces_possible()) return;
  KeeperWorld world;
  const auto perch = world.run({.prefix = keep_as_pid_1(world)});
  const pid_t keeper = only_child(perch->pid());
  const pid_t charge = only_child(keeper);
  // As `kubectl exec` does.
  REQUIRE(run({.argv = {"nsenter", "--pid", "--target", std::to_string(keeper), "sh", "-c",
                        "for i in 1 2 3; do (sleep 1000 &); done"}})
              .ending == exited(0));
  const std::vector<pid_t> children = children_of(keeper);
  CHECK(children.size() == 4);
  for (const pid_t pid : children) {
    if (pid != charge) ::kill(pid, SIGKILL);
  }
  CHECK(wait_until([&] { return children_of(keeper) == std::vector{charge}; }));
}

TEST_CASE("a keeper that is PID 1 passes signals to its command and ends with its code") {
  if (!namespaces_possible()) return;
  KeeperWorld world;
  CHECK(run({.argv = keep_as_pid_1(world,
                                   {perch_binary(), "run", "--policy", "never", "--control", "none",
                                    "--listen", world.api(), "--", "sh", "-c", "exit 42"})})
            .ending == exited(42));
  Process unshare({.argv = keep_as_pid_1(world, {"sh", "-c",
                                                 "trap 'exit 7' TERM; echo up; "
                                                 "while :; do sleep 0.1; done"})});
  REQUIRE(wait_until([&] { return unshare.out() == "up\n"; }));
  ::kill(only_child(unshare.pid()), SIGTERM);
  CHECK(unshare.wait() == exited(7));
}

TEST_CASE("the command of a keeper may do all that the keeper may") {
  KeeperWorld world;
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
  const KeeperWorld world;
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

}  // namespace perch::test
