// SPDX-License-Identifier: Apache-2.0
// Loop: one libuv loop, on one thread. Declared first by its owner, so that it dies last: by then
// every handle's owner has asked for its close, and the destructor runs the loop once more so that
// the close callbacks free them. A handle still open at that point is a bug and aborts.
#pragma once

#include <chrono>
#include <memory>

struct uv_loop_s;

namespace perch {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Until stop() or until nothing is left to wait for.
  void run();
  void stop() noexcept;
  // One turn: waits for events (at most until the next timer) and dispatches them.
  void run_once();
  // One turn that never waits.
  void run_pending();

  [[nodiscard]] uv_loop_s* raw() const noexcept { return loop_.get(); }

 private:
  struct Closer {
    void operator()(uv_loop_s* loop) const noexcept;
  };
  std::unique_ptr<uv_loop_s, Closer> loop_;
};

}  // namespace perch
