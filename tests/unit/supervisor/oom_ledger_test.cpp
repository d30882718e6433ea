// SPDX-License-Identifier: Apache-2.0
// OomLedger over a file as the kernel writes it: no memory controller is needed to count.
#include "supervisor/oom_ledger.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/temporary_directory.h"

namespace perch::test {
namespace {

using Counts = OomLedger::Counts;

struct Scene {
  TemporaryDirectory directory;
  Loop loop;
  std::uint64_t told = 0;
  OomLedger ledger{loop, events(0, 0), [this](std::uint64_t kills) { told += kills; },
                   [] { return false; }};

  process::MemoryCgroup events(int kills, int group_kills) const {
    write_text(directory.path("memory.events"), "oom_kill " + std::to_string(kills) +
                                                    "\noom_group_kill " +
                                                    std::to_string(group_kills) + "\n");
    return {.version = process::CgroupVersion::V2, .directory = directory.path()};
  }
};

}  // namespace

TEST_CASE("one worker's death takes all kills there were, also a victim that was counted twice") {
  Scene scene;
  scene.events(2, 0);
  CHECK(scene.ledger.claim_for_death(Counts::OneWorker));
  CHECK(scene.ledger.take_unclaimed() == 0);
  CHECK_FALSE(scene.ledger.claim_for_death(Counts::OneWorker));
}

TEST_CASE("of several workers each death takes one kill, or all of a group") {
  Scene scene;
  scene.events(2, 0);
  CHECK(scene.ledger.claim_for_death(Counts::Several));
  CHECK(scene.ledger.claim_for_death(Counts::Several));
  CHECK_FALSE(scene.ledger.claim_for_death(Counts::Several));
  scene.events(5, 1);
  CHECK(scene.ledger.claim_for_death(Counts::Several));
  CHECK_FALSE(scene.ledger.claim_for_death(Counts::Several));
}

TEST_CASE("what no death claimed is told when the generation is dead, and never again") {
  Scene scene;
  scene.events(3, 0);
  CHECK(scene.ledger.take_unclaimed() == 3);
  CHECK(scene.ledger.take_unclaimed() == 0);
  CHECK_FALSE(scene.ledger.claim_for_death(Counts::OneWorker));
  CHECK(scene.told == 0);
}

}  // namespace perch::test
