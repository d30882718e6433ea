// SPDX-License-Identifier: Apache-2.0
// Query: what stands behind the '?' of a request, read strictly: name=value, each name known and
// given once. No value of ours needs an escape, so none is decoded. Borrows the text.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace perch::control {

class Query {
 public:
  // The error is one line that says what is wrong.
  static std::expected<Query, std::string> parse(std::string_view text,
                                                 std::span<const std::string_view> known);

  // A decimal number of at most `most`; zero where it is absent.
  [[nodiscard]] std::expected<std::uint64_t, std::string> number(std::string_view name,
                                                                 std::uint64_t most) const;

 private:
  std::map<std::string_view, std::string_view> values_;
};

}  // namespace perch::control
