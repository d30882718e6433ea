// SPDX-License-Identifier: Apache-2.0
// Mistake: something that people do wrong with perch, as they type it, and what perch has to
// answer: an exit code, and one line that names the object, the reason and the remedy. Tables of
// them are tests. The commands run in bash, in a fresh directory with a valid perch.toml.
#pragma once

#include <string_view>

namespace perch::test {

struct Mistake {
  std::string_view what;
  // Beside perch itself there are the functions of the prelude in mistake.cpp.
  std::string_view typed;
  int code;
  std::string_view object;
  std::string_view reason;
  std::string_view remedy;
};

// Makes the mistake and checks the answer.
void check(const Mistake& mistake);

}  // namespace perch::test
