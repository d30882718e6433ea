// SPDX-License-Identifier: Apache-2.0
#include "supervisor/non_blocking_writer.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "tests/support/wait_until.h"
#include "tests/unit/log/pipe.h"

namespace perch {

TEST_CASE("two writers to one slow pipe tear none of each other's lines") {
  const auto ends = test::make_pipe();
  Loop loop;
  NonBlockingWriter one(ends.write.get());
  NonBlockingWriter two(ends.write.get());
  REQUIRE(one.attach(loop));
  REQUIRE(two.attach(loop));
  const std::string ones = std::string(700, '1') + "\n";
  const std::string twos = std::string(1'000, '2') + "\n";
  constexpr int kLines = 150;
  for (int i = 0; i < kLines; ++i) {
    REQUIRE(one.write(ones));
    REQUIRE(two.write(twos));
  }
  REQUIRE(one.pending());
  REQUIRE(two.pending());
  std::string all;
  CHECK(test::wait_until([&] {
    std::array<char, 333> some{};
    const ssize_t got = ::read(ends.read.get(), some.data(), some.size());
    if (got > 0) all.append(some.data(), static_cast<std::size_t>(got));
    loop.run_pending();
    return all.size() == kLines * (ones.size() + twos.size());
  }));
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) {
    CHECK((line + "\n" == ones || line + "\n" == twos));
  }
}

}  // namespace perch
