// SPDX-License-Identifier: Apache-2.0
// `perch keep -- COMMAND`: the command has all that the keeper has, and ends and returns as it is
// promised.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/keeper_world.h"
#include "tests/support/process_info.h"

namespace perch::test {
namespace {

// They wait for the keeper's backoff.
constexpr int kKills = 5;

}  // namespace

TEST_CASE("a keeper that runs perch starts it again each time, and no client is refused") {
  KeeperWorld world;
  const auto perch =
      world.run({.prefix = {perch_binary(), "keep", "--socket", world.socket(), "--"}});
  ClientStorm storm({.path = world.api()});
  for (int i = 0; i < kKills; ++i) {
    KeeperWorld::wait_kept(*perch);
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

TEST_CASE("a command of the keeper that exits ends it with its code; one that is killed returns") {
  KeeperWorld world;
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
