// SPDX-License-Identifier: Apache-2.0
#include "supervisor/repeat_fold.h"

#include <doctest/doctest.h>

namespace perch {
namespace {

using namespace std::chrono_literals;

const RepeatFold::Time kStart = RepeatFold::Time(std::chrono::seconds(1'767'225'600));

}  // namespace

TEST_CASE("only the same words at the same level within a second are folded") {
  RepeatFold fold;
  fold.begin(1, "again", kStart);
  CHECK_FALSE(fold.fold(1, "again ", kStart));
  CHECK_FALSE(fold.fold(2, "again", kStart));
  CHECK_FALSE(fold.fold(1, "again", kStart + 1s));
  CHECK_FALSE(fold.fold(1, "again", kStart - 1s));
  CHECK_FALSE(fold.pending());
  CHECK(fold.fold(1, "again", kStart + 999ms));
  CHECK(fold.pending());
}

TEST_CASE("one repeat is the line once more, several are counted") {
  RepeatFold fold;
  fold.begin(1, "again", kStart);
  CHECK(fold.fold(1, "again", kStart + 1ms));
  const auto once = fold.take(kStart + 1s);
  CHECK(once.text == "again");
  CHECK(once.level == 1);
  CHECK(once.last == kStart + 1ms);
  CHECK_FALSE(fold.pending());
  // The next window begins when the count was told.
  for (int i = 0; i < 412; ++i) CHECK(fold.fold(1, "again", kStart + 1500ms));
  CHECK(fold.take(kStart + 2s).text == "again (repeated 412 times)");
}

}  // namespace perch
