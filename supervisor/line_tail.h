// SPDX-License-Identifier: Apache-2.0
// LineTail: the last lines of a stream of bytes, each cut at a width; what a worker said before it
// died. Costs a fixed amount of memory however much flows by.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace perch {

class LineTail {
 public:
  static constexpr std::size_t kLines = 20;
  static constexpr std::size_t kWidth = 512;

  void add(std::string_view bytes);
  // Oldest first; a last line without its newline counts.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  void end_line();
  std::deque<std::string> ended_;
  std::string open_;
};

}  // namespace perch
