// SPDX-License-Identifier: Apache-2.0
// SignalInbox: signals read from a descriptor (signalfd(2)) on the loop, without any handler. So
// none interrupts what runs, and none can run in a child that shares our memory until its exec. For
// a process with one thread: the signals are blocked from here on, also after the inbox is gone,
// since one that is still pending would then end the process.
#pragma once

#include <csignal>
#include <functional>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch {

class SignalInbox {
 public:
  // May destroy the inbox.
  using Callback = std::function<void(int signal_number)>;

  // A blocked signal waits even for PID 1, and even if it is ignored (signal(7); kernel/signal.c,
  // sig_ignored). Several of one number before the loop turns may come as one.
  static Result<SignalInbox> open(Loop& loop, const sigset_t& signals, Callback on_signal);

 private:
  SignalInbox(UniqueFd descriptor, FdWatcher watcher)
      : descriptor_(std::move(descriptor)), watcher_(std::move(watcher)) {}
  UniqueFd descriptor_;
  FdWatcher watcher_;
};

}  // namespace perch
