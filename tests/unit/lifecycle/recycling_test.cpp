// SPDX-License-Identifier: Apache-2.0
#include "supervisor/lifecycle/recycling.h"

#include <doctest/doctest.h>

namespace perch::lifecycle {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr std::uint64_t kMiB = 1U << 20U;
constexpr RecycleRule kRule{.mark = 90 * kMiB, .limit = 100 * kMiB, .after = 5s};

nanoseconds sleep(std::uint64_t mib, const RecycleRule& rule = kRule) {
  return sleep_after(rule, mib * kMiB, kLongestWatchedSleep);
}

}  // namespace

TEST_CASE("a worker is due once it was above the mark for long enough") {
  CHECK_FALSE(is_due(kRule, 5s - 1ns));
  CHECK(is_due(kRule, 5s));
  CHECK(is_due({.mark = 1, .limit = {}, .after = 0s}, 0s));
}

TEST_CASE("at the mark and above it a look follows a look by a fifth of the time, within bounds") {
  CHECK(sleep(90) == 1s);
  CHECK(sleep(100) == 1s);
  CHECK(sleep(90, {.mark = 90 * kMiB, .limit = {}, .after = 1s}) == 200ms);
  CHECK(sleep(90, {.mark = 90 * kMiB, .limit = {}, .after = 100ms}) == 100ms);
  CHECK(sleep(90, {.mark = 90 * kMiB, .limit = {}, .after = 1h}) == 1s);
}

TEST_CASE("the farther from the mark, the longer the sleep, up to the longest") {
  CHECK(sleep(80) == 5s);
  CHECK(sleep(70) == 10s);
  CHECK(sleep(0) == 45s);
  CHECK(sleep_after(kRule, 0, kLongestSleep) == 10s);
  CHECK(sleep(0, {.mark = 90 * kMiB, .limit = 91 * kMiB, .after = 1h}) == kLongestWatchedSleep);
}

TEST_CASE("far from the mark nobody looks ten times in a second, however short the time above it") {
  for (const nanoseconds after : {0ns, nanoseconds(1ms), nanoseconds(1s)}) {
    const RecycleRule rule{.mark = 90 * kMiB, .limit = 100 * kMiB, .after = after};
    CHECK(sleep(80, rule) == 1s);
    CHECK(sleep(0, rule) == 9s);
  }
}

TEST_CASE("without a limit, or with one that is hardly above the mark, sleeps end all the same") {
  const RecycleRule none{.mark = 100 * kMiB, .limit = {}, .after = 5s};
  const RecycleRule same{.mark = 100 * kMiB, .limit = 100 * kMiB, .after = 5s};
  const RecycleRule below{.mark = 100 * kMiB, .limit = 50 * kMiB, .after = 5s};
  for (const RecycleRule& rule : {none, same, below}) CHECK(sleep(90, rule) == 10s);
}

// Every leak that takes longer from the mark to the limit than `after` is seen above the mark for
// `after` before it is at the limit, from wherever it starts; give or take one short sleep.
TEST_CASE("no leak that could be stopped in time is missed") {
  for (const nanoseconds to_limit : {6s, 7s, 20s, 600s, 36'000s}) {
    const double bytes_per_ns =
        static_cast<double>(*kRule.limit - kRule.mark) / static_cast<double>(to_limit.count());
    const auto bytes_at = [&](nanoseconds now) {
      return static_cast<std::uint64_t>(bytes_per_ns * static_cast<double>(now.count()));
    };
    nanoseconds now{0};
    int looks = 0;
    while (bytes_at(now) < kRule.mark) {
      now += sleep_after(kRule, bytes_at(now), kLongestWatchedSleep);
      ++looks;
    }
    const auto crossed =
        nanoseconds(static_cast<nanoseconds::rep>(static_cast<double>(kRule.mark) / bytes_per_ns));
    CAPTURE(to_limit.count());
    CHECK(now - crossed <= 1s);
    CHECK(looks <= now / 1s + 1);
  }
}

}  // namespace perch::lifecycle
