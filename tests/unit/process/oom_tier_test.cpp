// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/oom_tier.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <string>

#include "common/posix/file.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/process/in_child.h"

using namespace perch;
using namespace perch::process;

namespace {

struct Row {
  OomFacts facts;
  OomTier tier;
  bool clear_group;
  std::optional<int> own_score;
  int worker_score;
};

constexpr bool kWritable = true;
constexpr bool kCapable = true;
constexpr bool kApart = true;
constexpr bool kKeeper = true;
constexpr auto kKeep = std::nullopt;

const std::array kRows{
    Row{{OomGroup::Absent, false, false, 0, false, "", false}, OomTier::C, false, kKeep, 500},
    Row{{OomGroup::Absent, false, kCapable, 0, false, "", false}, OomTier::B, false, -1000, 500},
    Row{{OomGroup::Off, false, false, 0, false, "", false}, OomTier::C, false, kKeep, 500},
    Row{{OomGroup::Off, kWritable, false, 0, false, "", false}, OomTier::C, false, kKeep, 500},
    Row{{OomGroup::Off, kWritable, kCapable, 0, false, "", false}, OomTier::B, false, -1000, 500},
    Row{{OomGroup::On, false, false, 0, false, "", false}, OomTier::D, false, kKeep, 500},
    Row{{OomGroup::On, false, kCapable, 0, false, "", false}, OomTier::B, false, -1000, 500},
    Row{{OomGroup::On, kWritable, false, 0, false, "", false}, OomTier::A0, true, kKeep, 500},
    Row{{OomGroup::On, kWritable, kCapable, 0, false, "", false}, OomTier::A0, true, -1000, 500},
    Row{{OomGroup::Unknown, false, false, 0, false, "", false}, OomTier::D, false, kKeep, 500},
    Row{{OomGroup::Unknown, false, kCapable, 0, false, "", false}, OomTier::B, false, -1000, 500},
    // Workers apart are the best there is, a keeper is better than nothing; the rest is done too.
    Row{{OomGroup::On, false, false, 0, kApart, "", false}, OomTier::A, false, kKeep, 500},
    Row{{OomGroup::On, kWritable, false, 0, kApart, "", false}, OomTier::A, true, kKeep, 500},
    Row{{OomGroup::On, kWritable, kCapable, 0, kApart, "", false}, OomTier::A, true, -1000, 500},
    Row{{OomGroup::Off, false, kCapable, 0, kApart, "", kKeeper}, OomTier::A, false, -1000, 500},
    Row{{OomGroup::On, kWritable, false, 0, false, "", kKeeper}, OomTier::A0, true, kKeep, 500},
    Row{{OomGroup::On, false, kCapable, 0, false, "", kKeeper}, OomTier::B, false, -1000, 500},
    Row{{OomGroup::On, false, false, 0, false, "", kKeeper}, OomTier::K, false, kKeep, 500},
    Row{{OomGroup::Off, false, false, 0, false, "", kKeeper}, OomTier::K, false, kKeep, 500},
    Row{{OomGroup::Unknown, false, false, 0, false, "", kKeeper}, OomTier::K, false, kKeep, 500},
    // What the runtime gave the container is where the worker's score starts from.
    Row{{OomGroup::Off, false, false, 300, false, "", false}, OomTier::C, false, kKeep, 800},
    Row{{OomGroup::Off, false, false, 985, false, "", false}, OomTier::C, false, kKeep, 1000},
    Row{{OomGroup::Off, false, kCapable, -997, false, "", false}, OomTier::B, false, -1000, -497},
    // Protected by whoever started it, with nothing to lower.
    Row{{OomGroup::On, false, false, -1000, false, "", false}, OomTier::B, false, kKeep, -500},
};

}  // namespace

TEST_CASE("the tier and its actions follow from the facts") {
  for (const Row& row : kRows) {
    CAPTURE(static_cast<int>(row.facts.group));
    CAPTURE(row.facts.group_writable);
    CAPTURE(row.facts.may_lower_score);
    CAPTURE(row.facts.score_at_start);
    const OomPlan plan = choose_tier(row.facts);
    CHECK(name(plan.tier) == name(row.tier));
    CHECK(plan.clear_group == row.clear_group);
    CHECK((plan.own_score == row.own_score));
    CHECK(plan.worker_score == row.worker_score);
    CHECK_FALSE(plan.detail.empty());
    CHECK_FALSE(plan.detail.contains('\n'));
  }
}

TEST_CASE("every tier that could be better says what would make it so") {
  for (const Row& row : kRows) {
    const bool could_be_better = row.tier == OomTier::C || row.tier == OomTier::D;
    if (!could_be_better) continue;
    CHECK(choose_tier(row.facts).detail.contains("capabilities.add"));
  }
  const OomPlan doomed = choose_tier({.group = OomGroup::On});
  CHECK(doomed.detail.contains("takes perch with it"));
  CHECK(doomed.detail.contains("singleProcessOOMKill"));
}

TEST_CASE("why workers share perch's cgroup is said with every tier but the best") {
  for (const Row& row : kRows) {
    OomFacts facts = row.facts;
    facts.not_apart = "it is read-only: make it writable";
    const bool said = choose_tier(facts).detail.contains("it is read-only: make it writable");
    CHECK(said == !facts.workers_apart);
  }
}

TEST_CASE("the flag of the group is found and cleared") {
  // An ordinary directory: no memory controller of version 2 is needed to read and write a flag.
  const test::TemporaryDirectory directory;
  test::write_text(directory.path("memory.oom.group"), "1\n");
  const MemoryCgroup cgroup{.version = CgroupVersion::V2, .directory = directory.path()};
  OomFacts facts = gather_oom_facts({.container = cgroup});
  CHECK(facts.group == OomGroup::On);
  if (test::is_root()) CHECK(facts.group_writable);
  facts.may_lower_score = false;
  CHECK(name(take_oom_protection(cgroup, facts).tier) == "a0");
  CHECK(read_file(directory.path("memory.oom.group")).value_or("").starts_with("0"));
}

TEST_CASE("a step that the kernel refuses is planned without") {
  const test::TemporaryDirectory directory;
  const MemoryCgroup cgroup{.version = CgroupVersion::V2, .directory = directory.path()};
  const OomFacts hopeful{.group = OomGroup::On, .group_writable = true};
  CHECK(name(take_oom_protection(cgroup, hopeful).tier) == "d");
}

TEST_CASE("perch's own score is lowered where that is allowed, else the plan says it is not") {
  const std::string answer = test::in_child([] {
    const OomFacts hopeful{.group = OomGroup::Absent, .may_lower_score = true};
    const OomPlan plan = take_oom_protection({}, hopeful);
    const std::string text =
        std::string(name(plan.tier)) + " " + read_file("/proc/self/oom_score_adj").value_or("");
    (void)!::write(STDOUT_FILENO, text.data(), text.size());
  });
  const std::string untouched = read_file("/proc/self/oom_score_adj").value_or("");
  CHECK((answer == "b -1000\n" || answer == "c " + untouched));
}

TEST_CASE("what holds for this process can be gathered") {
  const MemoryCgroup own = own_memory_cgroup();
  if (!test::have(own.version == CgroupVersion::V1, "needs memory on cgroup version 1")) return;
  CHECK(gather_oom_facts({.container = own}).group == OomGroup::Absent);
  CHECK(gather_oom_facts({}).group == OomGroup::Unknown);
}
