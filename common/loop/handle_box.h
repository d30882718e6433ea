// SPDX-License-Identifier: Apache-2.0
// HandleBox: where a libuv handle lives. libuv keeps a pointer to a handle until its close callback
// has run, so the handle and the callback of its owner sit in a box on the heap; the owner holds a
// BoxPtr, whose deleter asks libuv to close the handle and lets the close callback free the box as
// its real type (raw.data points to it). The callback lives in the box, so it may destroy its own
// owner. Private to common/loop: nobody else includes <uv.h>.
#pragma once

#include <uv.h>

#include <memory>
#include <utility>

namespace perch::loop_detail {

template <class Handle, class Callback>
struct HandleBox {
  Handle raw{};  // type 0: never initialised, libuv does not know it
  Callback callback;

  explicit HandleBox(Callback wanted) : callback(std::move(wanted)) {}
};

struct BoxCloser {
  template <class Box>
  void operator()(Box* box) const noexcept {
    if (box->raw.type == UV_UNKNOWN_HANDLE) {
      delete box;
      return;
    }
    uv_close(reinterpret_cast<uv_handle_t*>(&box->raw),  // NOLINT: libuv's own way of inheritance
             [](uv_handle_t* handle) noexcept { delete static_cast<Box*>(handle->data); });
  }
};

}  // namespace perch::loop_detail
