// SPDX-License-Identifier: Apache-2.0
#include "supervisor/repeat_fold.h"

#include <fmt/format.h>

#include <utility>

namespace perch {

bool RepeatFold::fold(int level, std::string_view text, Time now) {
  // A clock that was set back ends the window, too.
  const bool in_time = now >= written_ && now - written_ < kWindow;
  if (!in_time || level != level_ || text != text_) return false;
  ++count_;
  last_ = now;
  return true;
}

void RepeatFold::begin(int level, std::string_view text, Time now) {
  level_ = level;
  text_ = text;
  written_ = now;
  count_ = 0;
}

RepeatFold::Repeats RepeatFold::take(Time now) {
  written_ = now;
  const std::uint64_t count = std::exchange(count_, 0);
  return {level_, count == 1 ? text_ : fmt::format("{} (repeated {} times)", text_, count), last_};
}

}  // namespace perch
