// SPDX-License-Identifier: Apache-2.0
// PseudoTerminal: a terminal for a program under test: what it shows is read here, and keys are
// typed here. It belongs to nobody's session: signals of keys and of its size are the test's to
// send.
#pragma once

#include <string>
#include <string_view>

#include "common/value/unique_fd.h"
#include "tests/support/wait_until.h"

namespace perch::test {

class PseudoTerminal {
 public:
  PseudoTerminal(unsigned short rows, unsigned short columns);  // throws std::system_error

  // What the program gets as its stdin, stdout and stderr.
  [[nodiscard]] int program_side() const noexcept { return program_.get(); }
  void resize(unsigned short rows, unsigned short columns) const;
  void type(std::string_view keys) const;
  // Everything that was written to it so far.
  const std::string& shown();
  // Keys are not echoed, nor kept until the end of a line.
  [[nodiscard]] bool is_raw() const;

 private:
  UniqueFd ours_;
  UniqueFd program_;
  std::string shown_;
};

}  // namespace perch::test
