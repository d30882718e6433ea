// SPDX-License-Identifier: Apache-2.0
#include "supervisor/lifecycle/backoff.h"

#include <sysexits.h>

#include <algorithm>
#include <cmath>

namespace perch::lifecycle {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using DoubleMilliseconds = std::chrono::duration<double, std::milli>;

// A spawn that failed is never tried again in the same breath, whatever the policy says.
constexpr milliseconds kLeastSpawnDelay{100};

// The worker will fail the same way until somebody changes something.
bool is_hopeless(const End& end) {
  return end.cause == Cause::ExecFailed ||
         (end.cause == Cause::Exit && end.exit_status == EX_CONFIG);
}

bool wants_restart(config::RestartWhen when, const End& end) {
  switch (when) {
    case config::RestartWhen::Always:
      return true;
    case config::RestartWhen::OnFailure:
      return end.cause != Cause::Exit || end.exit_status != 0;
    case config::RestartWhen::Never:
      return false;
  }
  return true;
}

// The n-th delay of the growing series, n from 0, before jitter.
DoubleMilliseconds nth_delay(const config::RestartConfig& policy, unsigned n) {
  // The power grows to infinity, which times zero would be no number.
  if (policy.delay == milliseconds::zero()) return DoubleMilliseconds::zero();
  const DoubleMilliseconds grown = DoubleMilliseconds(policy.delay) * std::pow(policy.factor, n);
  return std::min<DoubleMilliseconds>(grown, policy.max_delay);
}

nanoseconds spread(DoubleMilliseconds delay, double jitter, double dice) {
  const DoubleMilliseconds varied = delay * (1.0 + (jitter * ((2.0 * dice) - 1.0)));
  return std::chrono::duration_cast<nanoseconds>(varied);
}

nanoseconds delay_after(const config::RestartConfig& policy, unsigned failures, const End& end,
                        double dice) {
  if (is_hopeless(end)) {
    const nanoseconds longest = spread(policy.max_delay, policy.jitter, dice);
    return end.cause == Cause::ExecFailed ? std::max<nanoseconds>(longest, kLeastSpawnDelay)
                                          : longest;
  }
  if (failures <= policy.burst) return nanoseconds::zero();
  return spread(nth_delay(policy, failures - policy.burst - 1), policy.jitter, dice);
}

}  // namespace

Decision decide(const config::RestartConfig& policy, unsigned failures_before, const End& end,
                double dice) {
  const bool was_stable =
      end.ready_for > nanoseconds::zero() && end.ready_for >= policy.stable_after;
  // Replacing a worker in time is no failure. Soon after its start it is: its base need may exceed
  // the mark, and it must not be replaced without end.
  const bool in_order = was_stable && end.cause == Cause::MemoryRecycle;
  const unsigned failures = (was_stable ? 0 : failures_before) + (in_order ? 0 : 1);
  if (!wants_restart(policy.policy, end)) return {Verdict::Rest, failures, {}};
  if (policy.attempts != 0 && failures >= policy.attempts) return {Verdict::GiveUp, failures, {}};
  const nanoseconds delay = delay_after(policy, failures, end, dice);
  return {delay == nanoseconds::zero() ? Verdict::RestartNow : Verdict::RestartLater, failures,
          delay};
}

}  // namespace perch::lifecycle
