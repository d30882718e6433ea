// SPDX-License-Identifier: Apache-2.0
// Backoff: what the restart policy says when a generation has ended by itself. Pure: the clock and
// the dice are the caller's.
#pragma once

#include <chrono>

#include "supervisor/config/schema.h"
#include "supervisor/lifecycle/cause.h"

namespace perch::lifecycle {

enum class Verdict {
  RestartNow,
  RestartLater,  // after `delay`
  GiveUp,        // too many failures in a row
  Rest,          // the policy wants no restart after such an end
};

struct End {
  Cause cause = Cause::Exit;
  int exit_status = 0;                    // of Cause::Exit
  std::chrono::nanoseconds ready_for{0};  // how long it had been ready; zero: never
};

struct Decision {
  Verdict verdict = Verdict::Rest;
  unsigned failures = 0;  // consecutive ones, this end included if it is one
  std::chrono::nanoseconds delay{0};
};

// `failures_before`: consecutive failures so far; forgotten when the generation was ready for
// `stable_after`; being recycled after that is no failure. `dice` is uniform in [0, 1) and spreads
// the delay by ±jitter.
Decision decide(const config::RestartConfig& policy, unsigned failures_before, const End& end,
                double dice);

}  // namespace perch::lifecycle
