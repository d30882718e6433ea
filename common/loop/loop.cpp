// SPDX-License-Identifier: Apache-2.0
#include "common/loop/loop.h"

#include <uv.h>

#include "common/value/error.h"

namespace perch {

Loop::Loop() : loop_(new uv_loop_t{}) { PERCH_CHECK(uv_loop_init(loop_.get()) == 0); }

Loop::~Loop() = default;

void Loop::run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }
void Loop::stop() noexcept { uv_stop(loop_.get()); }
void Loop::run_once() { uv_run(loop_.get(), UV_RUN_ONCE); }
void Loop::run_pending() { uv_run(loop_.get(), UV_RUN_NOWAIT); }

void Loop::Closer::operator()(uv_loop_s* loop) const noexcept {
  // Close callbacks may be pending behind a stop(); a second turn runs them.
  uv_run(loop, UV_RUN_NOWAIT);
  uv_run(loop, UV_RUN_NOWAIT);
  PERCH_CHECK(uv_loop_close(loop) == 0);
  delete loop;
}

}  // namespace perch
