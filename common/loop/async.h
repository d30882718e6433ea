// SPDX-License-Identifier: Apache-2.0
// Async: wakes the loop from another thread. send() is the one call of the loop floor that any
// thread may make; several sends before the loop turns come as one callback. The owner sees to it
// that no thread sends while the Async is destroyed.
#pragma once

#include <functional>
#include <memory>

#include "common/loop/loop.h"

namespace perch {

class Async {
 public:
  using Callback = std::function<void()>;

  Async(Loop& loop, Callback on_wake);
  ~Async();
  Async(Async&&) noexcept;
  Async& operator=(Async&&) noexcept;

  void send() noexcept;

 private:
  struct Box;
  struct Closer {
    void operator()(Box* box) const noexcept;
  };
  std::unique_ptr<Box, Closer> box_;
};

}  // namespace perch
