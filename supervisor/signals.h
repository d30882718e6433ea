// SPDX-License-Identifier: Apache-2.0
// Signals: every signal perch can catch, on the loop. As PID 1 a signal without a handler is not
// even delivered; anywhere else its default would end perch. What the kernel raises for a fault of
// perch's own (SEGV, BUS, FPE, ILL, TRAP, SYS, ABRT) keeps its default: a handler that returns
// would loop.
#pragma once

#include <functional>
#include <vector>

#include "common/loop/loop.h"
#include "common/loop/signal_watcher.h"
#include "common/value/error.h"

namespace perch {

class Signals {
 public:
  // SIGCHLD is the reaper's; SIGPIPE, SIGTTIN and SIGTTOU are ignored: a handler for the last two
  // would make a write to the terminal restart for ever. Also empties an inherited signal mask.
  static Result<Signals> watch(Loop& loop, const std::function<void(int)>& on_signal);

 private:
  explicit Signals(std::vector<SignalWatcher> watchers) : watchers_(std::move(watchers)) {}
  std::vector<SignalWatcher> watchers_;
};

}  // namespace perch
