// SPDX-License-Identifier: Apache-2.0
#include "common/loop/fd_watcher.h"

#include "common/loop/handle_box.h"

namespace perch {
namespace {

int events_of(Interest interest) {
  return (interest.readable ? UV_READABLE : 0) | (interest.writable ? UV_WRITABLE : 0) |
         (interest.hang_up ? UV_DISCONNECT : 0) | (interest.prioritized ? UV_PRIORITIZED : 0);
}

Readiness readiness_of(int status, int events) {
  return {.readable = (events & UV_READABLE) != 0,
          .writable = (events & UV_WRITABLE) != 0,
          .hung_up = (events & UV_DISCONNECT) != 0,
          .prioritized = (events & UV_PRIORITIZED) != 0,
          .failed = status < 0};
}

}  // namespace

struct FdWatcher::Box : loop_detail::HandleBox<uv_poll_t, Callback> {
  using HandleBox::HandleBox;
};

void FdWatcher::Closer::operator()(Box* box) const noexcept { loop_detail::BoxCloser()(box); }

FdWatcher::FdWatcher(std::unique_ptr<Box, Closer> box) noexcept : box_(std::move(box)) {}
FdWatcher::~FdWatcher() = default;
FdWatcher::FdWatcher(FdWatcher&&) noexcept = default;
FdWatcher& FdWatcher::operator=(FdWatcher&&) noexcept = default;

Result<FdWatcher> FdWatcher::create(Loop& loop, int fd, Callback on_ready) {
  std::unique_ptr<Box, Closer> box(new Box(std::move(on_ready)));
  const int status = uv_poll_init(loop.raw(), &box->raw, fd);
  if (status < 0) {
    box->raw.type = UV_UNKNOWN_HANDLE;
    return fail("watch", -status);
  }
  box->raw.data = box.get();
  return FdWatcher(std::move(box));
}

void FdWatcher::watch(Interest interest) {
  const int events = events_of(interest);
  if (events == 0) return stop();
  PERCH_CHECK(
      uv_poll_start(&box_->raw, events, [](uv_poll_t* handle, int status, int ready) noexcept {
        static_cast<Box*>(handle->data)->callback(readiness_of(status, ready));
      }) == 0);
}

void FdWatcher::stop() noexcept { uv_poll_stop(&box_->raw); }

}  // namespace perch
