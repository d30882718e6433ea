// SPDX-License-Identifier: Apache-2.0
#include "common/loop/timer.h"

#include <algorithm>

#include "common/loop/handle_box.h"
#include "common/value/error.h"

namespace perch {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

}  // namespace

struct Timer::Box : loop_detail::HandleBox<uv_timer_t, Callback> {
  using HandleBox::HandleBox;
  steady_clock::time_point deadline;

  void expire() {
    callback(std::chrono::duration_cast<milliseconds>(steady_clock::now() - deadline));
  }
};

void Timer::Closer::operator()(Box* box) const noexcept { loop_detail::BoxCloser()(box); }

Timer::Timer(Loop& loop, Callback on_expiry) : box_(new Box(std::move(on_expiry))) {
  PERCH_CHECK(uv_timer_init(loop.raw(), &box_->raw) == 0);
  box_->raw.data = box_.get();
}

Timer::~Timer() = default;
Timer::Timer(Timer&&) noexcept = default;
Timer& Timer::operator=(Timer&&) noexcept = default;

void Timer::arm(std::chrono::nanoseconds from_now) {
  const auto delay = std::max(milliseconds::zero(), std::chrono::ceil<milliseconds>(from_now));
  box_->deadline = steady_clock::now() + delay;
  // libuv counts from the loop's cached time, which a long callback leaves behind.
  uv_update_time(box_->raw.loop);
  PERCH_CHECK(uv_timer_start(
                  &box_->raw,
                  [](uv_timer_t* handle) noexcept { static_cast<Box*>(handle->data)->expire(); },
                  static_cast<std::uint64_t>(delay.count()), 0) == 0);
}

void Timer::disarm() noexcept { uv_timer_stop(&box_->raw); }

bool Timer::armed() const noexcept {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&box_->raw)) != 0;  // NOLINT
}

}  // namespace perch
