// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/worker_limits.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>

#include "common/posix/file.h"
#include "tests/support/temporary_directory.h"

using namespace perch;
using namespace perch::process;

namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// A directory with the files of a cgroup: what is written there is what the kernel would get.
MemoryCgroup cgroup_with(const test::TemporaryDirectory& directory, CgroupVersion version,
                         std::initializer_list<const char*> files) {
  for (const char* file : files) test::write_text(directory.path(file), "");
  return {version, directory.path(), false};
}

std::string written(const test::TemporaryDirectory& directory, const char* file) {
  return read_file(directory.path(file)).value_or("(absent)");
}

}  // namespace

TEST_CASE("perch keeps a thirty-second part of the container, between 4 and 64 MiB") {
  struct Row {
    std::uint64_t container;
    std::uint64_t workers;
  };
  constexpr std::array kRows{Row{64 * kMiB, 60 * kMiB},       Row{128 * kMiB, 124 * kMiB},
                             Row{512 * kMiB, 496 * kMiB},     Row{2048 * kMiB, 1984 * kMiB},
                             Row{65536 * kMiB, 65472 * kMiB}, Row{6 * kMiB, 3 * kMiB}};
  for (const Row& row : kRows) CHECK(left_to_workers(row.container) == row.workers);
}

TEST_CASE("limits are written as configured, and the kernel's defaults where nothing is") {
  const test::TemporaryDirectory directory;
  const MemoryCgroup cgroup =
      cgroup_with(directory, CgroupVersion::V2,
                  {"memory.max", "memory.high", "memory.oom.group", "pids.max", "cpu.weight"});
  CHECK(apply_limits(cgroup, {.memory_max = 100 * kMiB,
                              .memory_high = 90 * kMiB,
                              .pids_max = 20,
                              .cpu_weight = 300,
                              .kill_as_one = true})
            .empty());
  CHECK(written(directory, "memory.max") == "104857600");
  CHECK(written(directory, "memory.high") == "94371840");
  CHECK(written(directory, "pids.max") == "20");
  CHECK(written(directory, "cpu.weight") == "300");
  CHECK(written(directory, "memory.oom.group") == "1");
  const test::TemporaryDirectory fresh;
  const MemoryCgroup bare = cgroup_with(fresh, CgroupVersion::V2, {"memory.max", "memory.high"});
  CHECK(apply_limits(bare, {}).empty());
  CHECK(written(fresh, "memory.max") == "max");
  CHECK(written(fresh, "memory.high") == "max");
}

TEST_CASE("a controller is switched on for the workers by the first that has a limit of it") {
  const test::TemporaryDirectory divided;
  const auto switched_on = [&] { return written(divided, "cgroup.subtree_control"); };
  test::write_text(divided.path("cgroup.subtree_control"), "");
  std::filesystem::create_directory(divided.path("app"));
  const MemoryCgroup cgroup{CgroupVersion::V2, divided.path("app"), false};
  CHECK(apply_limits(cgroup, {}).empty());
  CHECK(switched_on().empty());
  CHECK(apply_limits(cgroup, {.pids_max = 20}).size() == 1);
  CHECK(switched_on() == "+pids");
  test::write_text(divided.path("app/pids.max"), "max");
  test::write_text(divided.path("cgroup.subtree_control"), "");
  CHECK(apply_limits(cgroup, {.pids_max = 20}).empty());
  CHECK(switched_on().empty());
}

TEST_CASE("what cannot be applied is named with its key and its file") {
  const test::TemporaryDirectory directory;
  const MemoryCgroup cgroup = cgroup_with(directory, CgroupVersion::V2, {"memory.max"});
  const auto refused = apply_limits(cgroup, {.memory_max = kMiB, .pids_max = 20});
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].starts_with("pids_max: "));
  CHECK(refused[0].contains(directory.path("pids.max")));
}

TEST_CASE("version 1 knows a limit and nothing else") {
  const test::TemporaryDirectory directory;
  const MemoryCgroup cgroup = cgroup_with(directory, CgroupVersion::V1, {"memory.limit_in_bytes"});
  const auto refused = apply_limits(cgroup, {.memory_max = kMiB, .memory_high = kMiB});
  CHECK(written(directory, "memory.limit_in_bytes") == "1048576");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].starts_with("memory.high: "));
}
