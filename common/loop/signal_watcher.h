// SPDX-License-Identifier: Apache-2.0
// SignalWatcher: one signal, caught by a handler and delivered as a callback on the loop: for a
// process with threads, some of which nobody could tell to block it (else signal_inbox.h). Several
// deliveries before the loop turns may come as one, as signals do. Destroying it restores the
// default disposition.
#pragma once

#include <functional>
#include <memory>

#include "common/loop/loop.h"
#include "common/value/error.h"

namespace perch {

class SignalWatcher {
 public:
  using Callback = std::function<void(int signal_number)>;

  // EINVAL for signals that cannot be caught.
  static Result<SignalWatcher> create(Loop& loop, int signal_number, Callback on_signal);
  ~SignalWatcher();
  SignalWatcher(SignalWatcher&&) noexcept;
  SignalWatcher& operator=(SignalWatcher&&) noexcept;

 private:
  struct Box;
  struct Closer {
    void operator()(Box* box) const noexcept;
  };
  explicit SignalWatcher(std::unique_ptr<Box, Closer> box) noexcept;
  std::unique_ptr<Box, Closer> box_;
};

}  // namespace perch
