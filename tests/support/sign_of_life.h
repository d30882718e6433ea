// SPDX-License-Identifier: Apache-2.0
// SignOfLife: what a keeper is shown of the life of a process that greets it.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "common/value/unique_fd.h"

namespace perch::test {

class SignOfLife {
 public:
  SignOfLife() {
    std::array<int, 2> ends{-1, -1};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    seen_.reset(ends[0]);
    held_.reset(ends[1]);
  }
  [[nodiscard]] int seen() const { return seen_.get(); }
  // As the process' death does.
  void end() { held_.reset(); }

 private:
  UniqueFd seen_, held_;
};

}  // namespace perch::test
