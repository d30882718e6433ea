// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/unreclaimable_memory.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/value/unique_fd.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/memory_news.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/process.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"

using namespace perch;
using namespace perch::process;

namespace {

constexpr std::uint64_t kMiB = 1U << 20U;
constexpr std::uint64_t kLimit = 64 * kMiB;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

struct LimitedCgroup {
  Pipe nobody_reads;
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
  // Reads into one buffer and waits for somebody who takes it.
  [[nodiscard]] test::Command holder(int mib) const {
    return {.argv = {"dd", "if=/dev/zero", "bs=" + std::to_string(mib) + "M", "count=1"},
            .fds = {{1, nobody_reads.writer.get()}},
            .cgroups = {real->procs()}};
  }
  [[nodiscard]] test::Command writer(const std::string& file, int mib) const {
    return {.argv = {"dd", "if=/dev/zero", "of=" + file, "bs=1M", "count=" + std::to_string(mib)},
            .cgroups = {real->procs()}};
  }
};

// Turns the loop until something stops it, or nothing does.
void run_for_a_while(Loop& loop) {
  Timer deadline(loop, [&](std::chrono::milliseconds) { loop.stop(); });
  deadline.arm(test::kPatience);
  loop.run();
}

}  // namespace

TEST_CASE("with version 2 it is anonymous, shared and kernel memory, without reclaimable slabs") {
  CHECK(parse_unreclaimable(CgroupVersion::V2,
                            "anon 1000\nfile 50000\nkernel 300\nkernel_stack 9\nsock 20\n"
                            "shmem 4000\nslab_reclaimable 100\nslab 200\n") == 5220U);
  // Counted apart: the part may be ahead of the whole.
  CHECK(parse_unreclaimable(CgroupVersion::V2,
                            "anon 1000\nkernel 100\nshmem 0\nslab_reclaimable 200\n") == 1000U);
}

TEST_CASE("before Linux 5.18 the kernel's own memory is the sum of its parts") {
  CHECK(parse_unreclaimable(CgroupVersion::V2,
                            "anon 1000\nfile 50000\nkernel_stack 10\npagetables 20\npercpu 30\n"
                            "sock 5\nshmem 0\nslab_reclaimable 700\nslab_unreclaimable 40\n") ==
        1105U);
}

TEST_CASE("with version 1 it is what the cgroup and those below it have, no page cache") {
  CHECK(parse_unreclaimable(CgroupVersion::V1,
                            "cache 9\nrss 1\nshmem 1\ntotal_cache 90000\ntotal_rss 1000\n"
                            "total_rss_huge 500\ntotal_shmem 200\n") == 1200U);
}

TEST_CASE("a text without the figures is unknown, not zero") {
  CHECK_FALSE(parse_unreclaimable(CgroupVersion::V1, ""));
  CHECK_FALSE(parse_unreclaimable(CgroupVersion::V2, "anon 5\n"));
  CHECK_FALSE(parse_unreclaimable(CgroupVersion::V2, "total_rss 1\ntotal_shmem 1\n"));
  CHECK_FALSE(unreclaimable_bytes({}));
}

TEST_CASE("of a process it is its anonymous and shared memory") {
  CHECK(parse_resident("VmRSS:\t 900 kB\nRssAnon:\t     120 kB\nRssFile:\t 700 kB\nRssShmem:\t"
                       "      80 kB\n") == 200U * 1024);
  CHECK(parse_resident("Name:\tRssAnon: 5 kB\nState:\tZ\n") == 0);
  const std::array self{::getpid()};
  const std::uint64_t before = resident_bytes(self);
  const std::vector<char> held(8 * kMiB, 'x');
  CHECK(resident_bytes(self) >= before + 7 * kMiB);
  CHECK(held.back() == 'x');
  const std::array nobody{pid_t{0x7fff'ffff}};
  CHECK(resident_bytes(nobody) == 0);
}

TEST_CASE("the lowest limit on the way up counts") {
  const test::TemporaryDirectory directory;
  const std::string inner = directory.path("inner");
  REQUIRE(::mkdir(inner.c_str(), 0700) == 0);
  const process::MemoryCgroup cgroup{
      .version = CgroupVersion::V2, .directory = inner, .is_root = false};
  CHECK_FALSE(lowest_limit(cgroup));
  test::write_text(inner + "/memory.max", "max\n");
  CHECK_FALSE(lowest_limit(cgroup));
  test::write_text(directory.path("memory.max"), "5000\n");
  CHECK(lowest_limit(cgroup) == 5000U);
  test::write_text(inner + "/memory.max", "4000\n");
  CHECK(lowest_limit(cgroup) == 4000U);
}

TEST_CASE("a limit of a real cgroup is found, and what a process holds in it") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  CHECK(lowest_limit(cgroup.seen()) == kLimit);
  test::Process holder(cgroup.holder(24));
  CHECK(test::wait_until([&] { return unreclaimable_bytes(cgroup.seen()) >= 24 * kMiB; }));
}

TEST_CASE("files that are written fill a cgroup and are no memory that it needs") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  const test::TemporaryDirectory directory;
  test::Process writer(cgroup.writer(directory.path("file"), 128));
  REQUIRE(writer.wait());
  const auto usage = read_memory_evidence(cgroup.seen()).usage_bytes;
  INFO("usage ", usage.value_or(0));
  CHECK(unreclaimable_bytes(cgroup.seen()) < 8 * kMiB);
}

TEST_CASE("usage that passes the threshold is news, once until somebody listens again") {
  const LimitedCgroup cgroup;
  if (!cgroup.usable()) return;
  if (!test::have(cgroup.seen().version == CgroupVersion::V1, "needs a cgroup of version 1"))
    return;
  Loop loop;
  int news = 0;
  auto made = MemoryNews::create(loop, cgroup.seen(), 16 * kMiB, [&] {
    ++news;
    loop.stop();
  });
  REQUIRE(made);
  CHECK(made->reach() == MemoryNews::Reach::Complete);
  made->listen();
  std::optional<test::Process> holder(std::in_place, cgroup.holder(24));
  run_for_a_while(loop);
  CHECK(news == 1);
  // Down again, which nobody listens to; then up again, which somebody does.
  holder.reset();
  made->listen();
  holder.emplace(cgroup.holder(24));
  run_for_a_while(loop);
  CHECK(news == 2);
}

TEST_CASE("where the kernel tells nothing there is an error that says why") {
  Loop loop;
  const auto create = [&](const process::MemoryCgroup& cgroup) {
    return MemoryNews::create(loop, cgroup, 1, [] {});
  };
  const auto none = create({});
  REQUIRE_FALSE(none);
  CHECK(none.error().text().contains("no memory cgroup is visible"));
  const test::TemporaryDirectory directory;
  CHECK_FALSE(create({.version = CgroupVersion::V1, .directory = directory.path()}));
  CHECK_FALSE(create({.version = CgroupVersion::V2, .directory = directory.path()}));
  CHECK_FALSE(create({.version = CgroupVersion::V2, .directory = "/", .is_root = true}));
}

TEST_CASE("with version 2 a change of memory.events is a hint") {
  const test::TemporaryDirectory directory;
  test::write_text(directory.path("memory.events"), "high 0\n");
  Loop loop;
  int news = 0;
  auto made = MemoryNews::create(
      loop, {.version = CgroupVersion::V2, .directory = directory.path()}, 1, [&] {
        ++news;
        loop.stop();
      });
  REQUIRE(made);
  CHECK(made->reach() == MemoryNews::Reach::Hints);
  made->listen();
  test::write_text(directory.path("memory.events"), "high 1\n");
  run_for_a_while(loop);
  CHECK(news == 1);
}
