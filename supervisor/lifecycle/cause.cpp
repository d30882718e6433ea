// SPDX-License-Identifier: Apache-2.0
#include "supervisor/lifecycle/cause.h"

#include <csignal>

namespace perch::lifecycle {

std::string_view name(Cause cause) {
  switch (cause) {
    case Cause::Exit:
      return "exit";
    case Cause::Signal:
      return "signal";
    case Cause::OomKill:
      return "oom-kill";
    case Cause::Watchdog:
      return "watchdog";
    case Cause::Probe:
      return "probe";
    case Cause::MemoryRecycle:
      return "memory-recycle";
    case Cause::NeverReady:
      return "never-ready";
    case Cause::ExecFailed:
      return "exec-failed";
    case Cause::Requested:
      return "requested";
  }
  return "unknown";
}

Cause classify(const DeathFacts& facts) {
  switch (facts.stopped_by_us) {
    case StopReason::Requested:
    case StopReason::Restart:
      return Cause::Requested;
    case StopReason::NeverReady:
      return Cause::NeverReady;
    case StopReason::Watchdog:
      return Cause::Watchdog;
    case StopReason::Probe:
      return Cause::Probe;
    case StopReason::MemoryHigh:
      return Cause::MemoryRecycle;
    // The kernel took a part of it; what was left is ended for that reason.
    case StopReason::ChildOom:
      return Cause::OomKill;
    case StopReason::None:
      break;
  }
  if (!facts.by_signal) return Cause::Exit;
  // The OOM killer ends a process by SIGKILL and nothing else; a failed allocation that ends in
  // SIGSEGV or SIGABRT is the program's own way to go.
  return facts.status == SIGKILL && facts.oom_counter_grew ? Cause::OomKill : Cause::Signal;
}

}  // namespace perch::lifecycle
