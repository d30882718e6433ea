// SPDX-License-Identifier: Apache-2.0
// Division, on a real version 2 hierarchy. Where memory belongs to version 1, another controller
// stands for it: the kernel's rules are the same for all that account by cgroup.
#include "supervisor/process/division.h"

#include <doctest/doctest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/posix/file.h"
#include "supervisor/process/worker_cgroup.h"
#include "supervisor/process/worker_cgroups.h"
#include "tests/support/process.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait_until.h"
#include "tests/unit/process/in_child.h"
#include "tests/unit/process/nest.h"

namespace perch::test {
namespace {

using process::Division;
namespace fs = std::filesystem;

// A cgroup to be divided, with a controller that those below it can have.
struct Ground {
  std::unique_ptr<Nest> nest = Nest::make();
  std::string controller;
  Ground() {
    const std::string above = nest ? fs::path(nest->path()).parent_path().string() : "";
    for (const char* candidate : {"memory", "hugetlb", "pids"}) {
      if (!nest || !controller.empty()) break;
      if (!read_file(above + "/cgroup.controllers").value_or("").contains(candidate)) continue;
      if (write_file(above + "/cgroup.subtree_control", std::string("+") + candidate)) {
        controller = candidate;
      }
    }
  }
  [[nodiscard]] bool usable() const {
    return have(!controller.empty(), "needs a controller of cgroup version 2");
  }
  [[nodiscard]] std::string enabled() const {
    return read_file(nest->path() + "/cgroup.subtree_control").value_or("?");
  }
};

void say(const std::string& text) { (void)!::write(STDOUT_FILENO, text.data(), text.size()); }

std::string own_cgroup() {
  const std::string text = read_file("/proc/self/cgroup").value_or("");
  const std::string line = text.substr(text.find("0::"));
  return fs::path(line.substr(0, line.find('\n'))).filename();
}

// What a process in the cgroup `own` says of its attempt to divide it.
std::string attempt(const std::string& own, const std::string& controller) {
  return in_child([&] {
    if (!write_file(own + "/cgroup.procs", "0")) return say("cannot enter");
    const auto division = Division::make_in(own, controller);
    say(division ? own_cgroup() + " of " + fs::path(division->directory()).filename().string()
                 : division.error().text());
  });
}

// Stays in the cgroup until it is killed.
Command sleeper(const std::string& cgroup) {
  return {.argv = {"sleep", "1000"}, .cgroups = {cgroup + "/cgroup.procs"}};
}

void await_member(const std::string& cgroup) {
  REQUIRE(wait_until([&] { return !read_file(cgroup + "/cgroup.procs").value_or("").empty(); }));
}

}  // namespace

TEST_CASE("a cgroup that is perch's alone is divided, and whole again when perch has ended") {
  const Ground ground;
  if (!ground.usable()) return;
  const std::string before = ground.enabled();
  const std::string said = in_child([&] {
    if (!write_file(ground.nest->path() + "/cgroup.procs", "0")) return say("cannot enter");
    {
      const auto division = Division::make_in(ground.nest->path(), ground.controller);
      if (!division) return say(division.error().text());
      say(own_cgroup() + (ground.enabled().contains(ground.controller) ? " enabled " : " off "));
      const auto worker = process::WorkerCgroup::create_below(division->directory(), "app");
      say(worker ? "worker " : worker.error().text());
    }
    say(own_cgroup() == fs::path(ground.nest->path()).filename() ? "back" : "not back");
  });
  CHECK(said == "perch-self enabled worker back");
  CHECK(ground.enabled() == before);
  CHECK_FALSE(fs::exists(ground.nest->path() + "/perch-self"));
}

TEST_CASE("what others have switched on, or have cgroups below, stays when perch ends") {
  const Ground ground;
  if (!ground.usable()) return;
  const std::string& home = ground.nest->path();
  const std::string said = in_child([&] {
    if (!write_file(home + "/cgroup.procs", "0")) return say("cannot enter");
    const auto division = Division::make_in(home, ground.controller);
    if (!division) return say(division.error().text());
    fs::create_directory(home + "/other");
    say("divided");
  });
  CHECK(said == "divided");
  CHECK(fs::exists(home + "/other"));
  CHECK(ground.enabled().contains(ground.controller));
  fs::remove(home + "/other");
}

TEST_CASE("a process can be started in the leaf of a perch, as a container's runtime does") {
  const Ground ground;
  if (!ground.usable()) return;
  const std::string said = in_child([&] {
    if (!write_file(ground.nest->path() + "/cgroup.procs", "0")) return say("cannot enter");
    const auto division = Division::make_in(ground.nest->path(), ground.controller);
    if (!division) return say(division.error().text());
    // The kernel refuses the divided cgroup itself; runc then tries that of the container's init.
    const std::string leaf = ground.nest->path() + "/perch-self";
    const std::string into_leaf = "echo 0 > " + leaf + "/cgroup.procs && echo in";
    const std::string into_whole =
        "echo 0 2>/dev/null > " + ground.nest->path() + "/cgroup.procs || echo refused";
    say(read_file(leaf + "/cgroup.type").value_or("no type"));
    (void)!::system(into_whole.c_str());  // NOLINT(concurrency-mt-unsafe)
    (void)!::system(into_leaf.c_str());   // NOLINT(concurrency-mt-unsafe)
  });
  CHECK(said == "domain\nrefused\nin\n");
}

TEST_CASE("a cgroup where others live stays whole, and the error says so") {
  const Ground ground;
  if (!ground.usable()) return;
  const std::string before = ground.enabled();
  Process other(sleeper(ground.nest->path()));
  await_member(ground.nest->path());
  CHECK(attempt(ground.nest->path(), ground.controller).contains("other processes live in"));
  CHECK(ground.enabled() == before);
  CHECK_FALSE(fs::exists(ground.nest->path() + "/perch-self"));
  other.signal(SIGKILL);
}

TEST_CASE("a cgroup of systemd's is divided only where systemd has given it away") {
  const Ground ground;
  if (!ground.usable()) return;
  (void)write_file(ground.nest->path() + "/cgroup.subtree_control", "+" + ground.controller);
  const std::string unit = ground.nest->add("app.service");
  CHECK(attempt(unit, ground.controller).contains("Delegate=yes"));
  const bool marked = ::setxattr(unit.c_str(), "user.delegate", "1", 1, 0) == 0 ||
                      ::setxattr(unit.c_str(), "trusted.delegate", "1", 1, 0) == 0;
  if (!have(marked, "needs attributes on cgroups")) return;
  CHECK(attempt(unit, ground.controller) == "perch-self of app.service");
}

TEST_CASE("without the controller, without rights and in a threaded cgroup there is no division") {
  const Ground ground;
  if (!ground.usable()) return;
  CHECK(attempt(ground.nest->path(), "no-such").contains("no no-such controller"));
  const std::string threaded = ground.nest->add("threaded");
  if (!write_file(threaded + "/cgroup.type", "threaded")) return;
  CHECK_FALSE(attempt(threaded, ground.controller).starts_with("perch-self"));
}

TEST_CASE("what a killed perch left behind is ended and taken over") {
  const Ground ground;
  if (!ground.usable()) return;
  const std::string& home = ground.nest->path();
  const std::string leaf = ground.nest->add("perch-self");
  const std::string worker = ground.nest->add("perch-999999-app");
  REQUIRE(write_file(home + "/cgroup.subtree_control", "+" + ground.controller));
  Process orphan(sleeper(worker));
  await_member(worker);
  // Started anew in the leaf, by whoever lives there.
  CHECK(attempt(leaf, ground.controller) == "perch-self of " + fs::path(home).filename().string());
  CHECK(orphan.wait() == killed_by(SIGKILL));
  CHECK_FALSE(fs::exists(worker));
}

TEST_CASE("the cgroup of a perch that lives is not divided by a second one") {
  const Ground ground;
  if (!ground.usable()) return;
  const std::string said = in_child([&] {
    if (!write_file(ground.nest->path() + "/cgroup.procs", "0")) return say("cannot enter");
    const auto division = Division::make_in(ground.nest->path(), ground.controller);
    if (!division) return say(division.error().text());
    const std::string leaf = ground.nest->path() + "/perch-self";
    const auto second = Division::make_in(leaf, ground.controller);
    say(second ? "divided" : second.error().text());
  });
  CHECK(said.contains("another perch has divided"));
}

// An ordinary directory looks like the root: it has no cgroup.type.
TEST_CASE("at the real root nothing is undone, and nobody is ended there") {
  const TemporaryDirectory root;
  for (const char* file :
       {"cgroup.procs", "cgroup.subtree_control", "perch-999999-app/cgroup.kill"}) {
    fs::create_directories(fs::path(root.path(file)).parent_path());
    write_text(root.path(file), "");
  }
  write_text(root.path("cgroup.controllers"), "memory\n");
  {
    const auto division = Division::make_in(root.path(), "memory");
    REQUIRE_MESSAGE(division.has_value(), (division ? "" : division.error().text()));
    CHECK(division->directory() == root.path());
  }
  CHECK(read_file(root.path("cgroup.subtree_control")).value_or("") == "+memory");
  CHECK(read_file(root.path("perch-999999-app/cgroup.kill")).value_or("?").empty());
}

TEST_CASE("a worker's cgroup that the worker has divided is replaced, or done without") {
  using Limit = process::WorkerCgroups::LimitWanted;
  const Ground ground;
  if (!ground.usable()) return;
  REQUIRE(write_file(ground.nest->path() + "/cgroup.subtree_control", "+" + ground.controller));
  const process::MemoryGround shared{.container = {}, .divided = ground.nest->path()};
  process::WorkerCgroups cgroups(shared, "app");
  const auto prepare = [&] { return cgroups.prepare(process::Orphans::OfOneWorker, Limit::No); };
  REQUIRE(prepare());
  const std::string first = fs::path(cgroups.entry().procs).parent_path();
  CHECK_FALSE(prepare());
  REQUIRE(write_file(first + "/cgroup.subtree_control", "+" + ground.controller));
  CHECK(prepare());
  CHECK(cgroups.entry().procs != first + "/cgroup.procs");
  CHECK_FALSE(fs::exists(first));
  cgroups.do_without("nobody can enter it");
  CHECK_FALSE(prepare());
  CHECK(cgroups.entry().procs.empty());
  cgroups.forget_failures();
  CHECK(prepare());
}

}  // namespace perch::test
