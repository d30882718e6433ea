// SPDX-License-Identifier: Apache-2.0
// Signals: every signal perch can block, read on the loop; perch has no handler. As PID 1 a signal
// that is neither blocked nor handled is not even delivered; anywhere else its default would end
// perch. What the kernel raises for a fault of perch's own (SEGV, BUS, FPE, ILL, TRAP, SYS, ABRT)
// keeps its default.
#pragma once

#include <functional>

#include "common/loop/loop.h"
#include "common/loop/signal_inbox.h"
#include "common/value/error.h"

namespace perch {

class Signals {
 public:
  // SIGCHLD is the reaper's; SIGPIPE, SIGTTIN and SIGTTOU are blocked and nobody's: what they would
  // say, an errno says. Replaces an inherited signal mask.
  static Result<Signals> watch(Loop& loop, const std::function<void(int)>& on_signal);

 private:
  explicit Signals(SignalInbox inbox) : inbox_(std::move(inbox)) {}
  SignalInbox inbox_;
};

}  // namespace perch
