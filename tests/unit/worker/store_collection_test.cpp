// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <filesystem>
#include <random>
#include <set>

#include "tests/unit/worker/store_tools.h"
#include "worker/peer/store/collection.h"

namespace perch::peer {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

const FileTime kNow{hours(1000)};

Candidate task(const char* id, std::uint64_t bytes, int hours_unused, bool in_use = false) {
  return {id, bytes, kNow - hours(hours_unused), in_use};
}

std::string chosen(const std::vector<Candidate>& tasks, const GcLimits& limits) {
  std::string ids;
  for (const Candidate& candidate : to_collect(tasks, limits, kNow)) ids += candidate.id;
  return ids;
}

bool unused(const std::string& /*id*/) { return false; }

}  // namespace

TEST_CASE("the longest unused tasks go first, until the others fit") {
  const std::vector tasks{task("a", 10, 1), task("b", 10, 3), task("c", 10, 2)};
  CHECK(chosen(tasks, {}).empty());
  CHECK(chosen(tasks, {.max_bytes = 30, .max_age = {}}).empty());
  CHECK(chosen(tasks, {.max_bytes = 29, .max_age = {}}) == "b");
  CHECK(chosen(tasks, {.max_bytes = 10, .max_age = {}}) == "bc");
  CHECK(chosen(tasks, {.max_bytes = 0, .max_age = {}}) == "bca");
}

TEST_CASE("a task unused for too long goes, whatever room there is") {
  const std::vector tasks{task("a", 10, 1), task("b", 10, 3), task("c", 10, 2)};
  CHECK(chosen(tasks, {.max_bytes = {}, .max_age = hours(2)}) == "b");
  CHECK(chosen(tasks, {.max_bytes = 10, .max_age = hours(2)}) == "bc");
}

TEST_CASE("a task in use never goes, and a time in the future is no age") {
  const std::vector tasks{task("a", 10, 1), task("b", 10, 3, true), task("c", 10, -5)};
  CHECK(chosen(tasks, {.max_bytes = 20, .max_age = {}}) == "a");
  CHECK(chosen(tasks, {.max_bytes = 0, .max_age = hours(0)}) == "ac");
}

TEST_CASE("whatever the tasks, what is left fits or is in use, and no younger one went first") {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<Candidate> tasks;
    for (int i = 0; i < 12; ++i) {
      tasks.push_back({std::string(1, static_cast<char>('a' + i)), random() % 50,
                       kNow - hours(random() % 100), random() % 4 == 0});
    }
    const GcLimits limits{.max_bytes = random() % 300, .max_age = hours(random() % 120)};
    std::set<std::string> gone;
    FileTime youngest{};
    for (const Candidate& candidate : to_collect(tasks, limits, kNow)) {
      CHECK_FALSE(candidate.in_use);
      CHECK(candidate.last_use >= youngest);
      youngest = candidate.last_use;
      gone.insert(candidate.id);
    }
    std::uint64_t left = 0;
    bool all_left_in_use = true;
    for (const Candidate& candidate : tasks) {
      if (gone.contains(candidate.id)) continue;
      left += candidate.bytes;
      all_left_in_use = all_left_in_use && candidate.in_use;
      CHECK((candidate.in_use || kNow - candidate.last_use <= *limits.max_age));
    }
    CHECK((left <= *limits.max_bytes || all_left_in_use));
  }
}

TEST_CASE("the store removes what was chosen, longest unused first, and says what went") {
  const StoreWorld world;
  const Store store = world.open();
  make_finished(store);
  make_finished(store, kOtherId);
  REQUIRE(store.find(kId)->touch().has_value());
  fs::last_write_time(world.path("state", kOtherId),
                      fs::file_time_type::clock::now() - std::chrono::hours(2));
  SUBCASE("by size") {
    const auto removed = store.collect({.max_bytes = 2500, .max_age = {}}, unused);
    REQUIRE(removed.size() == 1);
    CHECK(removed.front().id == kOtherId);
    CHECK(removed.front().bytes == 2500);
  }
  SUBCASE("by age") {
    CHECK(store.collect({.max_bytes = {}, .max_age = hours(1)}, unused).size() == 1);
  }
  SUBCASE("not what is in use") {
    CHECK(store
              .collect({.max_bytes = 2500, .max_age = hours(1)},
                       [](const std::string& id) { return id == kOtherId; })
              .front()
              .id == kId);
    CHECK(store.stat(kOtherId)->finished);
    return;
  }
  CHECK(store.stat(kId)->finished);
  CHECK_FALSE(fs::exists(world.task(kOtherId)));
}

TEST_CASE("what a killed removal or beginning has left goes, unless it is in use") {
  const StoreWorld world;
  const Store store = world.open();
  make_finished(store);
  fs::remove(world.path("manifest"));
  fs::create_directory(world.task(kOtherId));
  CHECK(store.collect({}, [](const std::string&) { return true; }).empty());
  CHECK(store.collect({}, unused).size() == 2);
  CHECK(fs::is_empty(world.tasks()));
}

}  // namespace perch::peer
