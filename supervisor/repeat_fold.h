// SPDX-License-Identifier: Apache-2.0
// RepeatFold: the memory behind "(repeated 412 times)". A message that is word for word the one
// before it, at the same level and within a second of its last line, is counted in place of being
// written. Anything else is another event and has its own line: those of a crash loop differ in
// their generation, and each of them happened. Nothing is lost: who folds also tells the count.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace perch {

class RepeatFold {
 public:
  static constexpr std::chrono::milliseconds kWindow{1'000};
  using Time = std::chrono::system_clock::time_point;

  // True: counted, not to be written.
  bool fold(int level, std::string_view text, Time now);
  // This one is written.
  void begin(int level, std::string_view text, Time now);

  struct Repeats {
    int level = 0;
    std::string text;  // with the count, where it is more than one
    Time last{};
  };
  [[nodiscard]] bool pending() const noexcept { return count_ > 0; }
  // What was counted, to be written now; a new window begins.
  Repeats take(Time now);

 private:
  int level_ = 0;
  std::string text_;
  Time written_{};
  Time last_{};
  std::uint64_t count_ = 0;
};

}  // namespace perch
