// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "supervisor/process/memory_cgroup.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/oom_counter.h"
#include "supervisor/process/oom_watch.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/process.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"

using namespace perch;
using namespace perch::process;

namespace {

constexpr std::uint64_t kLimit = 32U << 20U;

// A real cgroup with a limit, and the same one as perch sees it.
struct LimitedCgroup {
  std::unique_ptr<test::MemoryCgroup> real = test::MemoryCgroup::make(kLimit);

  [[nodiscard]] bool usable() const {
    return test::have(real != nullptr, "needs a writable memory cgroup");
  }
  [[nodiscard]] process::MemoryCgroup seen() const {
    const std::string procs = real->procs();
    return {.version = own_memory_cgroup().version,
            .directory = procs.substr(0, procs.rfind('/')),
            .is_root = false};
  }
  // dd reads into one buffer, all of which it touches.
  [[nodiscard]] test::Command hog() const {
    return {.argv = {"dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1"},
            .cgroups = {real->procs()}};
  }
  [[nodiscard]] test::Command sleeper() const {
    return {.argv = {"sleep", "1000"}, .cgroups = {real->procs()}};
  }
};

OomCount read(const OomCounter& counter) {
  const auto count = counter.read();
  REQUIRE_MESSAGE(count.has_value(), (count ? "" : count.error().text()));
  return *count;
}

// Turns the loop until `done` stops it; a loop that nothing stops fails the test.
void run_until_stopped(Loop& loop) {
  bool late = false;
  Timer deadline(loop, [&](std::chrono::milliseconds) {
    late = true;
    loop.stop();
  });
  deadline.arm(test::kPatience);
  loop.run();
  CHECK_FALSE(late);
}

}  // namespace

TEST_CASE("the count is read from the text of every version") {
  CHECK((parse_oom_count("low 0\nhigh 3\nmax 9\noom 2\noom_kill 4\noom_group_kill 1\n") ==
         OomCount{.known = true, .kills = 4, .group_kills = 1}));
  CHECK((parse_oom_count("low 0\noom 2\noom_kill 4\n") == OomCount{.known = true, .kills = 4}));
  CHECK((parse_oom_count("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n") ==
         OomCount{.known = true, .kills = 7}));
  CHECK((parse_oom_count("pgfault 5\noom_kill 12\nnuma_hit 3\n") ==
         OomCount{.known = true, .kills = 12}));
}

TEST_CASE("a text without the counter is unknown, not zero") {
  for (const char* text : {"", "oom_kill", "oom_kill \n", "oom_kill x\n", "oom_kill 1 2\n",
                           "oom_kill_disable 0\nunder_oom 0\n"}) {
    CAPTURE(text);
    CHECK((parse_oom_count(text) == OomCount{}));
  }
}

TEST_CASE("only a known counter that moved has grown") {
  const OomCount unknown;
  const OomCount zero{.known = true};
  const OomCount one{.known = true, .kills = 1};
  const OomCount group{.known = true, .group_kills = 1};
  CHECK(grew(zero, one));
  CHECK(grew(zero, group));
  CHECK_FALSE(grew(one, one));
  CHECK_FALSE(grew(one, zero));
  CHECK_FALSE(grew(unknown, one));
  CHECK_FALSE(grew(zero, unknown));
}

TEST_CASE("without a memory cgroup the counter says that it knows nothing") {
  const OomCounter counter = OomCounter::open({});
  CHECK((read(counter) == OomCount{}));
  CHECK(counter.source() == "none: no memory cgroup is visible");
}

TEST_CASE("a counter that is missing says which file it looked for") {
  const test::TemporaryDirectory directory;
  const OomCounter counter =
      OomCounter::open({.version = CgroupVersion::V2, .directory = directory.path()});
  CHECK((read(counter) == OomCount{}));
  CHECK(counter.source().contains("memory.events"));
  CHECK(counter.source().contains("No such file"));
}

TEST_CASE("at the root of version 2 the whole host is counted, and the source says so") {
  const OomCounter counter = OomCounter::open(
      {.version = CgroupVersion::V2, .directory = "/sys/fs/cgroup", .is_root = true});
  CHECK(read(counter).known);
  CHECK(counter.source() == "host: /proc/vmstat");
}

TEST_CASE("every OOM kill moves the counter before its victim can be reaped") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  const OomCounter counter = OomCounter::open(cgroup.seen());
  for (int round = 0; round < 10; ++round) {
    const OomCount before = read(counter);
    test::Process hog(cgroup.hog());
    CHECK(hog.wait() == test::killed_by(SIGKILL));
    CHECK(grew(before, read(counter)));
  }
}

TEST_CASE("a SIGKILL by hand does not move the counter") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  const OomCounter counter = OomCounter::open(cgroup.seen());
  for (int round = 0; round < 10; ++round) {
    const OomCount before = read(counter);
    test::Process sleeper(cgroup.sleeper());
    sleeper.signal(SIGKILL);
    CHECK(sleeper.wait() == test::killed_by(SIGKILL));
    CHECK((read(counter) == before));
  }
}

TEST_CASE("the evidence beside an OOM kill has a peak at the limit") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  test::Process hog(cgroup.hog());
  CHECK(hog.wait() == test::killed_by(SIGKILL));
  const MemoryEvidence evidence = read_memory_evidence(cgroup.seen());
  CHECK(evidence.limit_bytes == kLimit);
  CHECK(evidence.usage_bytes < kLimit);
  REQUIRE(evidence.peak_bytes.has_value());
  CHECK(*evidence.peak_bytes > kLimit / 2);
  CHECK(*evidence.peak_bytes <= kLimit);
}

TEST_CASE("no limit is absent in both versions, and so is what cannot be read") {
  const test::TemporaryDirectory directory;
  test::write_text(directory.path("memory.limit_in_bytes"), "9223372036854771712\n");
  test::write_text(directory.path("memory.max_usage_in_bytes"), "4096\n");
  test::write_text(directory.path("memory.max"), "max\n");
  test::write_text(directory.path("memory.current"), "8192\n");
  test::write_text(directory.path("memory.oom.group"), "1\n");
  CHECK((read_memory_evidence({.version = CgroupVersion::V1, .directory = directory.path()}) ==
         MemoryEvidence{.peak_bytes = 4096}));
  CHECK((read_memory_evidence({.version = CgroupVersion::V2, .directory = directory.path()}) ==
         MemoryEvidence{.usage_bytes = 8192, .oom_group = true}));
  CHECK((read_memory_evidence({}) == MemoryEvidence{}));
}

TEST_CASE("the watch tells of an OOM kill, and the counter has grown by its last news") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  Loop loop;
  const OomCounter counter = OomCounter::open(cgroup.seen());
  for (int round = 0; round < 5; ++round) {
    const OomCount before = read(counter);
    auto watch = OomWatch::create(loop, cgroup.seen(), [&] {
      if (grew(before, read(counter))) loop.stop();
    });
    REQUIRE_MESSAGE(watch.has_value(), (watch ? "" : watch.error().text()));
    test::Process hog(cgroup.hog());
    run_until_stopped(loop);
    CHECK(hog.wait() == test::killed_by(SIGKILL));
  }
}

TEST_CASE("the watch's callback may destroy the watch") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  Loop loop;
  std::optional<OomWatch> watch;
  int calls = 0;
  auto created = OomWatch::create(loop, cgroup.seen(), [&] {
    ++calls;
    watch.reset();
    loop.stop();
  });
  REQUIRE(created.has_value());
  watch = *std::move(created);
  test::Process hog(cgroup.hog());
  run_until_stopped(loop);
  CHECK(hog.wait() == test::killed_by(SIGKILL));
  loop.run();
  CHECK(calls == 1);
}

TEST_CASE("where the kernel offers no news there is an error and no watch") {
  Loop loop;
  const test::TemporaryDirectory directory;
  const auto create = [&](CgroupVersion version) {
    return OomWatch::create(loop, {.version = version, .directory = directory.path()}, [] {});
  };
  const auto none = create(CgroupVersion::None);
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().text() == "watch for OOM kills: no memory cgroup is visible");
  CHECK_FALSE(create(CgroupVersion::V1).has_value());
  CHECK_FALSE(create(CgroupVersion::V2).has_value());
}

TEST_CASE("version 2's watch tells when memory.events is modified") {
  // inotify is the kernel's own; only the hand that modifies the file is ours.
  Loop loop;
  const test::TemporaryDirectory directory;
  test::write_text(directory.path("memory.events"), "oom_kill 0\n");
  const process::MemoryCgroup cgroup{.version = CgroupVersion::V2, .directory = directory.path()};
  auto watch = OomWatch::create(loop, cgroup, [&] { loop.stop(); });
  REQUIRE(watch.has_value());
  test::write_text(directory.path("memory.events"), "oom_kill 1\n");
  run_until_stopped(loop);
}
