// SPDX-License-Identifier: Apache-2.0
#include "tests/support/storm_check.h"

#include <doctest/doctest.h>

namespace perch::test {

void check_nobody_was_turned_away(const StormCounts& counts) {
  CHECK(counts.refused == 0);
  CHECK(counts.missing == 0);
  CHECK(counts.full == 0);
  CHECK(counts.other == 0);
  CHECK(counts.inodes.size() == 1);
}

}  // namespace perch::test
