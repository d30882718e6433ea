// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/memory_sum.h"

#include <doctest/doctest.h>

#include <string>

namespace perch::config {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// Workers "a", "b", ...; 0: without a limit.
Config with_limits(std::initializer_list<std::uint64_t> limits) {
  Config config;
  std::string name = "a";
  for (const std::uint64_t limit : limits) {
    if (limit != 0) config.workers[name].memory.max = limit;
    config.workers.try_emplace(name);
    ++name.front();
  }
  return config;
}

}  // namespace

TEST_CASE("limits of several workers that are more than the container's together are told of") {
  CHECK(problem_with_memory_sum(with_limits({}), kMiB).empty());
  CHECK(problem_with_memory_sum(with_limits({0, 0}), kMiB).empty());
  // That one alone is too large is told where it is applied.
  CHECK(problem_with_memory_sum(with_limits({200 * kMiB, 0}), 100 * kMiB).empty());
  CHECK(problem_with_memory_sum(with_limits({60 * kMiB, 40 * kMiB}), 100 * kMiB).empty());
  CHECK(problem_with_memory_sum(with_limits({60 * kMiB, 0, 60 * kMiB}), 100 * kMiB) ==
        "workers a, c: memory.max of all is 120MiB together, more than the container's 100MiB, "
        "which they can reach before their own; lower them, or raise the container's");
}

}  // namespace perch::config
