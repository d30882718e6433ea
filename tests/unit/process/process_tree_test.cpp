// SPDX-License-Identifier: Apache-2.0
// The process tree of a generation, made of real processes: all of it is found, and nothing else.
#include "supervisor/process/process_tree.h"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "common/posix/file.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/wait_until.h"
#include "tests/unit/process/frozen_process.h"
#include "tests/unit/process/spawn_scene.h"

namespace perch::test {
namespace {

using process::kill_tree;
using process::Lineage;
using process::Orphans;
using process::OwnChildren;
using process::ProcessStat;
using process::Sweep;

using Pids = std::set<pid_t>;
Pids children() {
  const auto list = process::OwnChildren().list();
  return {list.begin(), list.end()};
}

bool all_alive(const Pids& pids) { return std::ranges::all_of(pids, alive); }
bool none_alive(const Pids& pids) { return std::ranges::none_of(pids, alive); }

// The test as a subreaper, without a child at the start and at the end.
class Family {
 public:
  Family() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    REQUIRE(children().empty());
  }
  ~Family() {
    for (Pids left = children(); !left.empty(); left = children()) {
      for (const pid_t pid : left) ::kill(pid, SIGKILL);
      ::waitpid(-1, nullptr, 0);
    }
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
};

// One generation: a shell that leaves two daemons in sessions of their own, has a child in its own
// session and stays.
struct Generation {
  pid_t leader = 0;
  Pids daemons;
  pid_t child = 0;
  std::string tag;

  [[nodiscard]] Lineage dead() const { return {.leader = 0, .session = leader, .tag = tag}; }
  [[nodiscard]] Lineage living() const { return {.leader = leader, .session = leader, .tag = tag}; }
};

Generation start(const std::string& tag) {
  const Pids before = children();
  auto request =
      program({"/bin/sh", "-c", "setsid -f sleep 1000; setsid -f sleep 1000; sleep 1000 & wait"});
  if (!tag.empty()) request.environment = {tag};
  auto spawner = process::Spawner::create();
  REQUIRE(spawner);
  const auto child = spawner->spawn(request);
  REQUIRE(child);
  Generation generation{.leader = child->pid, .daemons = {}, .child = 0, .tag = tag};
  REQUIRE(wait_until([&] { return children().size() == before.size() + 3; }));
  REQUIRE(wait_until([&] {
    const auto its = children_of(generation.leader);
    if (its.size() != 1 || read_file("/proc/" + std::to_string(its[0]) + "/comm") != "sleep\n") {
      return false;
    }
    generation.child = its[0];
    return true;
  }));
  for (const pid_t pid : children()) {
    if (!before.contains(pid) && pid != generation.leader) generation.daemons.insert(pid);
  }
  return generation;
}

void kill_and_reap(pid_t pid) {
  ::kill(pid, SIGKILL);
  REQUIRE(::waitpid(pid, nullptr, 0) == pid);
}

bool is_nobody(pid_t /*pid*/) { return false; }

// Sweeps and reaps until nothing of the generation is left; all that was killed.
Pids sweep_to_the_end(const Lineage& lineage, Orphans orphans,
                      const std::function<bool(pid_t)>& is_main = is_nobody) {
  Pids killed;
  for (;;) {
    const Sweep sweep = kill_tree(lineage, OwnChildren(), is_main, orphans);
    if (sweep.killed.empty()) return killed;
    killed.insert(sweep.killed.begin(), sweep.killed.end());
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

constexpr const char* kRest =
    " 7 42 43 0 -1 4194308 1 2 3 4 5 6 -7 8 20 0 1 0 98765 4096 10 18446744073709551615\n";

}  // namespace

TEST_CASE("a process cannot lie about itself by its name") {
  for (const char* name : {"app", ") R 1", "a) Z 1 1 1", "(((", ")", "", " ) (", "\n) S 1 ("}) {
    CAPTURE(name);
    ProcessStat stat;
    REQUIRE(process::parse_stat("41 (" + std::string(name) + ") S" + kRest, stat));
    CHECK(stat.pid == 41);
    CHECK(stat.state == 'S');
    CHECK(stat.parent == 7);
    CHECK(stat.group == 42);
    CHECK(stat.session == 43);
    CHECK(stat.flags == 4194308);
    CHECK(stat.start_time == 98765);
  }
}

TEST_CASE("a line that is cut short is no answer") {
  const std::string whole = "41 (app) S" + std::string(kRest);
  const std::size_t needed = whole.find("98765");
  ProcessStat stat;
  for (std::size_t size = 0; size <= needed; ++size) {
    CAPTURE(size);
    CHECK_FALSE(process::parse_stat(whole.substr(0, size), stat));
  }
  CHECK_FALSE(process::parse_stat("no line at all", stat));
}

TEST_CASE("the kernel's own line of a process with a hostile name is read right") {
  const Family family;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_NAME, ") R 1 1 1 (");
    for (;;) ::pause();
  }
  REQUIRE(wait_until(
      [&] { return read_file("/proc/" + std::to_string(pid) + "/comm") == ") R 1 1 1 (\n"; }));
  ProcessStat stat;
  REQUIRE(process::read_stat(pid, stat));
  CHECK(stat.pid == pid);
  CHECK(stat.parent == ::getpid());
  CHECK(stat.start_time > 0);
  CHECK(process::describe(pid).starts_with("pid " + std::to_string(pid) + " () R 1 1 1 (, state "));
}

TEST_CASE("a generation dies as a whole: leader, children, and daemons in sessions of their own") {
  const Family family;
  const Generation one = start("PERCH_GENERATION=app/1");
  Pids all = one.daemons;
  all.insert({one.leader, one.child});
  CHECK(all_alive(all));
  CHECK(sweep_to_the_end(one.living(), Orphans::OfSeveral) == all);
  CHECK(none_alive(all));
}

TEST_CASE("a generation is listed as a whole, and nobody else with it") {
  const Family family;
  const Generation one = start("PERCH_GENERATION=app/1");
  const Generation two = start("PERCH_GENERATION=app/2");
  Pids all = one.daemons;
  all.insert({one.leader, one.child});
  const auto list = process::list_tree(
      one.living(), OwnChildren(), [&](pid_t pid) { return pid == two.leader; },
      Orphans::OfSeveral);
  CHECK(Pids(list.begin(), list.end()) == all);
  CHECK(all_alive(all));
}

TEST_CASE("what a dead generation left behind dies, and another generation's daemons do not") {
  const Family family;
  const Generation one = start("PERCH_GENERATION=app/1");
  const Generation two = start("PERCH_GENERATION=app/11");
  kill_and_reap(one.leader);
  kill_and_reap(two.leader);
  Pids left = one.daemons;
  left.insert(one.child);
  CHECK(sweep_to_the_end(one.dead(), Orphans::OfSeveral) == left);
  CHECK(all_alive(two.daemons));
  CHECK(alive(two.child));
}

TEST_CASE("a daemon belongs to the generation that left it, and to no other") {
  const Family family;
  const Generation one = start("PERCH_GENERATION=app/1");
  const Generation two = start("PERCH_GENERATION=app/2");
  for (const pid_t daemon : one.daemons) {
    CHECK(process::is_of(one.living(), daemon, Orphans::OfSeveral));
    CHECK_FALSE(process::is_of(two.living(), daemon, Orphans::OfSeveral));
  }
  CHECK_FALSE(process::is_of(one.living(), ::getpid(), Orphans::OfOneWorker));
  CHECK_FALSE(process::is_of(one.living(), ::getppid(), Orphans::OfOneWorker));
}

TEST_CASE("own children are listed by a list that stays open, also when it fills several pages") {
  const Family family;
  const process::OwnChildren own;
  CHECK(own.list().empty());
  Pids made;
  // Its text passes every length from nothing to more than two pages.
  for (int i = 0; i < 1500; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    REQUIRE(pid > 0);
    made.insert(pid);
    const auto list = own.list();
    REQUIRE(list.size() == made.size());
    if (i % 100 == 0) REQUIRE(Pids(list.begin(), list.end()) == made);
  }
  while (::waitpid(-1, nullptr, 0) > 0) continue;
  CHECK(own.list().empty());
}

TEST_CASE("another worker's main process and what is below it is nobody's orphan") {
  const Family family;
  const Generation one = start("PERCH_GENERATION=app/1");
  const Generation two = start("PERCH_GENERATION=app/1");
  kill_and_reap(one.leader);
  for (const pid_t pid : two.daemons) kill_and_reap(pid);
  sweep_to_the_end(one.dead(), Orphans::OfSeveral, [&](pid_t pid) { return pid == two.leader; });
  CHECK(none_alive(one.daemons));
  CHECK(alive(two.leader));
  CHECK(alive(two.child));
}

TEST_CASE("an orphan that cannot be attributed is left alone and counted") {
  const Family family;
  const Generation nameless = start("");
  const Generation one = start("PERCH_GENERATION=app/1");
  kill_and_reap(nameless.leader);
  kill_and_reap(one.leader);
  sweep_to_the_end(one.dead(), Orphans::OfSeveral);
  CHECK(none_alive(one.daemons));
  CHECK(all_alive(nameless.daemons));
  CHECK(kill_tree(one.dead(), OwnChildren(), is_nobody, Orphans::OfSeveral).unattributed == 3);
}

TEST_CASE("with one worker every orphan is its own") {
  const Family family;
  const Generation nameless = start("");
  kill_and_reap(nameless.leader);
  const Lineage one{.leader = 0, .session = 1, .tag = "PERCH_GENERATION=app/1"};
  Pids all = nameless.daemons;
  all.insert(nameless.child);
  CHECK(sweep_to_the_end(one, Orphans::OfOneWorker) == all);
  CHECK(none_alive(all));
}

TEST_CASE("zombies are no survivors") {
  const Family family;
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  REQUIRE(wait_until([pid] { return state_of(pid) == 'Z'; }));
  const Lineage one{.leader = 0, .session = pid, .tag = "PERCH_GENERATION=app/1"};
  CHECK(kill_tree(one, OwnChildren(), is_nobody, Orphans::OfOneWorker).killed.empty());
}

TEST_CASE("a process is exiting when it is gone, a zombie, or has a SIGKILL before it") {
  const Family family;
  CHECK_FALSE(process::is_exiting(::getpid()));
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  REQUIRE(wait_until([pid] { return state_of(pid) == 'Z'; }));
  CHECK(process::is_exiting(pid));
  REQUIRE(::waitpid(pid, nullptr, 0) == pid);
  CHECK(process::is_exiting(pid));

  const auto frozen = FrozenProcess::make();
  if (!have(frozen != nullptr, "needs root: the freezer of cgroup v1")) return;
  CHECK_FALSE(process::is_exiting(frozen->pid()));
  ::kill(frozen->pid(), SIGUSR1);
  CHECK_FALSE(process::is_exiting(frozen->pid()));
  ::kill(frozen->pid(), SIGKILL);
  CHECK(alive(frozen->pid()));
  CHECK(process::is_exiting(frozen->pid()));
}

TEST_CASE("descent is seen through all generations between") {
  const Family family;
  const Generation one = start("PERCH_GENERATION=app/1");
  CHECK(process::descends_from(one.child, one.leader));
  CHECK(process::descends_from(one.child, ::getpid()));
  CHECK_FALSE(process::descends_from(one.leader, one.child));
  CHECK_FALSE(process::descends_from(*one.daemons.begin(), one.leader));
  CHECK_FALSE(process::descends_from(::getpid(), ::getpid()));
}

TEST_CASE("a pidfd is opened for a child of ours alone") {
  const Family family;
  const Generation one = start("PERCH_GENERATION=app/1");
  CHECK(process::open_child_pidfd(*one.daemons.begin()));
  const auto grandchild = process::open_child_pidfd(one.child);
  REQUIRE_FALSE(grandchild);
  CHECK(grandchild.error().is(ECHILD));
  CHECK_FALSE(process::open_child_pidfd(::getpid()));
}

}  // namespace perch::test
