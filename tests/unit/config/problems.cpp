// SPDX-License-Identifier: Apache-2.0
#include "problems.h"

#include <doctest/doctest.h>

namespace perch::config::test {

std::string problems_of(std::string_view text, const Overrides& overrides) {
  const auto config = text.empty() ? load("", overrides) : parse(text, "f", overrides);
  std::string lines;
  if (config) return lines;
  REQUIRE_FALSE(config.error().empty());
  for (const Problem& problem : config.error()) {
    lines += (lines.empty() ? "" : "\n") + problem.text;
  }
  return lines;
}

Config valid(std::string_view text, const Overrides& overrides) {
  auto config = text.empty() ? load("", overrides) : parse(text, "f", overrides);
  INFO(problems_of(text, overrides));
  REQUIRE(config.has_value());
  return std::move(*config);
}

}  // namespace perch::config::test
