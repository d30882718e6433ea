// SPDX-License-Identifier: Apache-2.0
#include "common/loop/signal_watcher.h"

#include "common/loop/handle_box.h"

namespace perch {

struct SignalWatcher::Box : loop_detail::HandleBox<uv_signal_t, Callback> {
  using HandleBox::HandleBox;
};

void SignalWatcher::Closer::operator()(Box* box) const noexcept { loop_detail::BoxCloser()(box); }

SignalWatcher::SignalWatcher(std::unique_ptr<Box, Closer> box) noexcept : box_(std::move(box)) {}
SignalWatcher::~SignalWatcher() = default;
SignalWatcher::SignalWatcher(SignalWatcher&&) noexcept = default;
SignalWatcher& SignalWatcher::operator=(SignalWatcher&&) noexcept = default;

Result<SignalWatcher> SignalWatcher::create(Loop& loop, int signal_number, Callback on_signal) {
  std::unique_ptr<Box, Closer> box(new Box(std::move(on_signal)));
  PERCH_CHECK(uv_signal_init(loop.raw(), &box->raw) == 0);
  box->raw.data = box.get();
  const int status = uv_signal_start(
      &box->raw,
      [](uv_signal_t* handle, int number) noexcept {
        static_cast<Box*>(handle->data)->callback(number);
      },
      signal_number);
  if (status < 0) return fail("watch signal", -status);
  return SignalWatcher(std::move(box));
}

}  // namespace perch
