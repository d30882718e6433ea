// SPDX-License-Identifier: Apache-2.0
// Why a generation ended. Pure: from facts that were read before and after the death to one named
// cause. perch's own kill comes first, then the kernel's OOM kill, then what the process says.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace perch::lifecycle {

enum class Cause {
  Exit,
  Signal,
  OomKill,
  Watchdog,
  Probe,
  MemoryRecycle,
  NeverReady,
  ExecFailed,
  Requested,
};

inline constexpr std::array kAllCauses{Cause::Exit,       Cause::Signal,     Cause::OomKill,
                                       Cause::Watchdog,   Cause::Probe,      Cause::MemoryRecycle,
                                       Cause::NeverReady, Cause::ExecFailed, Cause::Requested};

// "oom-kill"
std::string_view name(Cause cause);

// Why perch itself set out to end a generation.
enum class StopReason {
  None,
  Requested,
  Restart,
  NeverReady,
  Watchdog,
  Probe,
  MemoryHigh,
  ChildOom
};

struct DeathFacts {
  StopReason stopped_by_us = StopReason::None;
  bool by_signal = false;
  int status = 0;                 // exit code, or the signal's number
  bool oom_counter_grew = false;  // between this generation's spawn and its reap
};

Cause classify(const DeathFacts& facts);

}  // namespace perch::lifecycle
