// SPDX-License-Identifier: Apache-2.0
#include "supervisor/deadline.h"

#include <algorithm>

namespace perch {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// A loop that is later than this was stopped or starved; what it watches was too.
constexpr std::chrono::milliseconds kLate{1'000};

}  // namespace

Deadline::Deadline(Loop& loop, std::function<void()> on_passed)
    : timer_(loop, [this](std::chrono::milliseconds late) { on_expiry(late); }),
      on_passed_(std::move(on_passed)) {}

void Deadline::arm(nanoseconds from_now) {
  period_ = from_now;
  at_ = steady_clock::now() + from_now;
  excused_ = false;
  timer_.arm(from_now);
}

void Deadline::extend(nanoseconds from_now) {
  if (at_ && remaining() < from_now) arm(from_now);
}

nanoseconds Deadline::remaining() const {
  const auto now = steady_clock::now();
  return std::max(nanoseconds::zero(), at_.value_or(now) - now);
}

void Deadline::on_expiry(std::chrono::milliseconds late) {
  if (late > kLate && !excused_) {
    arm(std::min<nanoseconds>(period_, kLate));
    excused_ = true;
    return;
  }
  on_passed_();
}

}  // namespace perch
