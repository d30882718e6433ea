// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/worker_cgroup.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/posix/file.h"
#include "supervisor/process/memory_cgroup.h"
#include "tests/support/process.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait_until.h"
#include "tests/unit/process/nest.h"

using namespace perch;
using namespace perch::process;
using test::Nest;
using test::usable;
namespace fs = std::filesystem;

namespace {

WorkerCgroup create(const Nest& nest, std::string_view worker) {
  auto cgroup = WorkerCgroup::create_below(nest.path(), worker);
  REQUIRE_MESSAGE(cgroup.has_value(), (cgroup ? "" : cgroup.error().text()));
  return *std::move(cgroup);
}

bool is_populated(const WorkerCgroup& cgroup) { return cgroup.populated().value_or(false); }

// Sleeps, its two children as well, one of them in a session of its own.
test::Command family(const WorkerCgroup& cgroup) {
  return {.argv = {"sh", "-c", "sleep 1000 & setsid sleep 1000 & wait"},
          .cgroups = {cgroup.procs_path()}};
}

void await_family(const WorkerCgroup& cgroup) {
  REQUIRE(test::wait_until([&] { return cgroup.members().value().size() == 3; }));
}

}  // namespace

TEST_CASE("a worker's cgroup is named for it and goes with its owner") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  std::string directory;
  {
    WorkerCgroup cgroup = create(*nest, "app");
    directory = cgroup.directory();
    CHECK(fs::path(directory).filename() == "perch-" + std::to_string(::getpid()) + "-app");
    CHECK(fs::exists(directory));
    CHECK_FALSE(is_populated(cgroup));
  }
  CHECK_FALSE(fs::exists(directory));
}

TEST_CASE("moving the owner does not remove the cgroup") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  std::optional<WorkerCgroup> first(create(*nest, "app"));
  const WorkerCgroup second = std::move(*first);
  first.reset();
  CHECK(fs::exists(second.directory()));
}

TEST_CASE("killing it ends the whole tree, sessions of their own included") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  WorkerCgroup cgroup = create(*nest, "app");
  test::Process process(family(cgroup));
  await_family(cgroup);
  CHECK(is_populated(cgroup));
  REQUIRE(cgroup.kill().has_value());
  CHECK(process.wait() == test::killed_by(SIGKILL));
  CHECK(test::wait_until([&] { return !is_populated(cgroup); }));
  CHECK(cgroup.members().value().empty());
}

TEST_CASE("the descriptor tells when the last member has gone") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  WorkerCgroup cgroup = create(*nest, "app");
  const test::Process process(family(cgroup));
  await_family(cgroup);
  REQUIRE(is_populated(cgroup));
  REQUIRE(cgroup.kill().has_value());
  while (is_populated(cgroup)) {
    pollfd news{.fd = cgroup.populated_fd(), .events = POLLPRI, .revents = 0};
    REQUIRE(::poll(&news, 1, static_cast<int>(test::kPatience.count())) == 1);
  }
}

TEST_CASE("what a worker made in its cgroup goes with it") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  std::string directory;
  {
    WorkerCgroup cgroup = create(*nest, "app");
    directory = cgroup.directory();
    fs::create_directories(directory + "/of-its-own/deeper");
  }
  CHECK_FALSE(fs::exists(directory));
}

TEST_CASE("members of cgroups that a worker made in its own are its members") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  WorkerCgroup cgroup = create(*nest, "app");
  const std::string deeper = cgroup.directory() + "/of-its-own/deeper";
  fs::create_directories(deeper);
  test::Process process({.argv = {"sleep", "1000"}, .cgroups = {deeper + "/cgroup.procs"}});
  CHECK(test::wait_until([&] { return cgroup.members().value() == std::vector{process.pid()}; }));
  process.signal(SIGKILL);
  CHECK(process.wait() == test::killed_by(SIGKILL));
}

TEST_CASE("dead perches' workers are ended where the place is ours alone") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  const std::string busy = nest->add("perch-999998-app");
  fs::create_directory(busy + "/deeper");
  test::Process orphan({.argv = {"sleep", "1000"}, .cgroups = {busy + "/deeper/cgroup.procs"}});
  REQUIRE(test::wait_until(
      [&] { return !read_file(busy + "/deeper/cgroup.procs").value_or("").empty(); }));
  const WorkerCgroup living = create(*nest, "living");
  remove_left_overs(nest->path(), LeftOvers::Kill);
  CHECK(orphan.wait() == test::killed_by(SIGKILL));
  CHECK_FALSE(fs::exists(busy));
  CHECK(fs::exists(living.directory()));
}

TEST_CASE("another worker's tree is left alone") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  WorkerCgroup mine = create(*nest, "mine");
  WorkerCgroup other = create(*nest, "other");
  test::Process in_mine(family(mine));
  test::Process in_other(family(other));
  await_family(mine);
  await_family(other);
  REQUIRE(mine.kill().has_value());
  CHECK(in_mine.wait() == test::killed_by(SIGKILL));
  CHECK_FALSE(in_other.ending().has_value());
  CHECK(is_populated(other));
  REQUIRE(other.kill().has_value());
  CHECK(in_other.wait() == test::killed_by(SIGKILL));
}

TEST_CASE("left-overs are removed, but neither a living owner's nor populated nor foreign ones") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  const std::string stale = nest->add("perch-999999-app");
  const std::vector foreign{nest->add("someone"), nest->add("perch-ci"), nest->add("perch-7"),
                            nest->add("perch-7x-app")};
  const std::string busy = nest->add("perch-999998-app");
  test::Process orphan({.argv = {"sleep", "1000"}, .cgroups = {busy + "/cgroup.procs"}});
  REQUIRE(
      test::wait_until([&] { return !read_file(busy + "/cgroup.procs").value_or("").empty(); }));
  const WorkerCgroup living = create(*nest, "living");
  CHECK_FALSE(fs::exists(stale));
  CHECK(fs::exists(busy));
  for (const std::string& directory : foreign) CHECK(fs::exists(directory));
  const WorkerCgroup next = create(*nest, "next");
  CHECK(fs::exists(living.directory()));
  orphan.signal(SIGKILL);
  CHECK(orphan.wait() == test::killed_by(SIGKILL));
}

TEST_CASE("a name in use, an impossible name and a place without rights are errors") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  WorkerCgroup cgroup = create(*nest, "app");
  const auto again = WorkerCgroup::create_below(nest->path(), "app");
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().is(EEXIST));
  CHECK_FALSE(WorkerCgroup::create_below(nest->path(), "a/b").has_value());
  CHECK_FALSE(WorkerCgroup::create_below(nest->path(), "").has_value());
  const test::TemporaryDirectory no_cgroup;
  CHECK_FALSE(WorkerCgroup::create_below(no_cgroup.path(), "app").has_value());
  CHECK(fs::is_empty(no_cgroup.path()));
}

TEST_CASE("a threaded cgroup is refused, and nothing is left behind") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  const std::string threaded = nest->add("threaded");
  if (!write_file(threaded + "/cgroup.type", "threaded")) return;
  const auto refused = WorkerCgroup::create_below(threaded, "app");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text().contains("threaded"));
  CHECK_FALSE(fs::exists(threaded + "/perch-" + std::to_string(::getpid()) + "-app"));
}

TEST_CASE("a cgroup below our own can be made where version 2 is writable") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  const auto cgroup = WorkerCgroup::create("unit-test");
  REQUIRE_MESSAGE(cgroup.has_value(), (cgroup ? "" : cgroup.error().text()));
  CHECK_FALSE(is_populated(*cgroup));
}
