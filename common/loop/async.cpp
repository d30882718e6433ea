// SPDX-License-Identifier: Apache-2.0
#include "common/loop/async.h"

#include "common/loop/handle_box.h"
#include "common/value/error.h"

namespace perch {

struct Async::Box : loop_detail::HandleBox<uv_async_t, Callback> {
  using HandleBox::HandleBox;
};

void Async::Closer::operator()(Box* box) const noexcept { loop_detail::BoxCloser()(box); }

Async::Async(Loop& loop, Callback on_wake) : box_(new Box(std::move(on_wake))) {
  PERCH_CHECK(uv_async_init(loop.raw(), &box_->raw, [](uv_async_t* handle) noexcept {
                static_cast<Box*>(handle->data)->callback();
              }) == 0);
  box_->raw.data = box_.get();
}

Async::~Async() = default;
Async::Async(Async&&) noexcept = default;
Async& Async::operator=(Async&&) noexcept = default;

void Async::send() noexcept { uv_async_send(&box_->raw); }

}  // namespace perch
