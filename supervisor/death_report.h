// SPDX-License-Identifier: Apache-2.0
// From the facts of a death to its record: one named cause, and the evidence for it in words. Pure.
#pragma once

#include <optional>
#include <string>

#include "supervisor/control/status.h"
#include "supervisor/lifecycle/cause.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/oom_victim.h"
#include "supervisor/process/reaper.h"

namespace perch {

struct DeathFacts {
  process::Exit exit;
  lifecycle::StopReason stop_reason = lifecycle::StopReason::None;
  std::optional<std::string> oom_evidence;  // the OOM counter grew, and by what
  process::MemoryEvidence memory;           // read when it had grown
  std::string why_ended;                    // by perch, where that was for its memory
  std::string errno_text;                   // what the worker's ERRNO= means
};

// Without generation, times and output, which are the caller's.
control::DeathRecord report_death(const DeathFacts& facts);
// What comes later, for the end of its detail.
std::string victim_text(const process::OomVictim& victim);

}  // namespace perch
