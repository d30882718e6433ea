// SPDX-License-Identifier: Apache-2.0
// FdWatcher: tells when a descriptor is ready. It borrows the descriptor, which must be closed only
// after the watcher is gone: declare the UniqueFd before its watcher.
// libuv sets O_NONBLOCK on what it polls. That flag belongs to the open file description, so never
// watch an inherited descriptor (0 to 2) or a listener that is handed to workers.
#pragma once

#include <functional>
#include <memory>

#include "common/loop/loop.h"
#include "common/value/error.h"

namespace perch {

struct Readiness {
  bool readable = false;
  bool writable = false;
  bool hung_up = false;      // the peer closed its end or shut down writing (EPOLLRDHUP)
  bool prioritized = false;  // EPOLLPRI
  bool failed = false;       // EPOLLERR; the watcher has stopped, ask the descriptor why
};

struct Interest {
  bool readable = false;
  bool writable = false;
  bool hang_up = false;
  bool prioritized = false;
};

class FdWatcher {
 public:
  using Callback = std::function<void(Readiness)>;

  // Nothing is watched before watch().
  static Result<FdWatcher> create(Loop& loop, int fd, Callback on_ready);
  ~FdWatcher();
  FdWatcher(FdWatcher&&) noexcept;
  FdWatcher& operator=(FdWatcher&&) noexcept;

  // Level-triggered. Replaces what was watched before; no interest at all stops it.
  void watch(Interest interest);
  void stop() noexcept;

 private:
  struct Box;
  struct Closer {
    void operator()(Box* box) const noexcept;
  };
  explicit FdWatcher(std::unique_ptr<Box, Closer> box) noexcept;
  std::unique_ptr<Box, Closer> box_;
};

}  // namespace perch
