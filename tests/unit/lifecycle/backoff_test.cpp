// SPDX-License-Identifier: Apache-2.0
#include "supervisor/lifecycle/backoff.h"

#include <doctest/doctest.h>

namespace perch::lifecycle {
namespace {

using namespace std::chrono_literals;

constexpr double kNoJitter = 0.5;  // the middle of the spread

config::RestartConfig defaults() { return {}; }

End killed() { return {.cause = Cause::Signal, .exit_status = 0, .ready_for = 0ns}; }

Decision after(unsigned failures_before, const End& end,
               const config::RestartConfig& policy = defaults(), double dice = kNoJitter) {
  return decide(policy, failures_before, end, dice);
}

}  // namespace

TEST_CASE("the first failures restart at once, then the delay doubles up to its limit") {
  const std::chrono::nanoseconds expected[] = {0ms,   0ms,    0ms,    100ms,  200ms, 400ms,
                                               800ms, 1600ms, 3200ms, 5000ms, 5000ms};
  unsigned failures = 0;
  for (const auto delay : expected) {
    const Decision decision = after(failures, killed());
    CHECK(decision.delay == delay);
    CHECK(decision.verdict == (delay == 0ms ? Verdict::RestartNow : Verdict::RestartLater));
    failures = decision.failures;
  }
  CHECK(after(1'000'000, killed()).delay == 5s);
}

TEST_CASE("without a delay every failure restarts at once, however many there were") {
  config::RestartConfig policy;
  policy.delay = 0ms;
  for (const unsigned failures : {3U, 1'026U, 1'027U, 1'000'000U}) {
    CHECK(after(failures, killed(), policy).verdict == Verdict::RestartNow);
  }
}

TEST_CASE("jitter spreads the delay by its share to both sides") {
  CHECK(after(3, killed(), defaults(), 0.0).delay == 80ms);
  CHECK(after(3, killed(), defaults(), 0.5).delay == 100ms);
  CHECK(after(3, killed(), defaults(), 0.999999).delay < 120ms);
  CHECK(after(3, killed(), defaults(), 0.999999).delay > 119ms);
}

TEST_CASE("readiness for stable_after makes the past forgotten, a moment less does not") {
  End end = killed();
  end.ready_for = 30s;
  CHECK(after(9, end).failures == 1);
  end.ready_for = 30s - 1ns;
  CHECK(after(9, end).failures == 10);
}

TEST_CASE("a worker recycled after stable_after has not failed, a sooner one has") {
  config::RestartConfig policy;
  policy.burst = 0;
  policy.attempts = 1;
  End recycled{.cause = Cause::MemoryRecycle, .exit_status = 0, .ready_for = 30s};
  const Decision in_order = after(9, recycled, policy);
  CHECK(in_order.failures == 0);
  CHECK(in_order.verdict == Verdict::RestartNow);

  policy.attempts = 0;
  recycled.ready_for = 30s - 1ns;
  const Decision too_soon = after(9, recycled, policy);
  CHECK(too_soon.failures == 10);
  CHECK(too_soon.verdict == Verdict::RestartLater);
}

TEST_CASE("a worker that needs more than its mark from the start backs off as one that crashes") {
  const End recycled{.cause = Cause::MemoryRecycle, .exit_status = 0, .ready_for = 6s};
  unsigned failures = 0;
  for (int i = 0; i < 20; ++i) failures = after(failures, recycled).failures;
  CHECK(after(failures, recycled).delay == 5s);
}

TEST_CASE("a generation that was never ready is not stable, even with stable_after zero") {
  config::RestartConfig policy;
  policy.stable_after = 0ms;
  CHECK(after(9, killed(), policy).failures == 10);
}

TEST_CASE("what fails the same way every time waits the longest from the first time on") {
  CHECK(after(0, {Cause::ExecFailed, 0, 0ns}).delay == 5s);
  CHECK(after(0, {Cause::Exit, 78, 0ns}).delay == 5s);
  CHECK(after(0, {Cause::Exit, 77, 0ns}).delay == 0s);
}

TEST_CASE("a failed spawn is never repeated at once, though the delays are zero") {
  config::RestartConfig policy;
  policy.delay = 0ms;
  policy.max_delay = 0ms;
  CHECK(after(0, {Cause::ExecFailed, 0, 0ns}, policy).verdict == Verdict::RestartLater);
  CHECK(after(99, killed(), policy).verdict == Verdict::RestartNow);
}

TEST_CASE("the policy says which ends are restarted") {
  const End clean{Cause::Exit, 0, 0ns};
  const End failed{Cause::Exit, 1, 0ns};
  config::RestartConfig policy;
  policy.policy = config::RestartWhen::OnFailure;
  CHECK(after(0, clean, policy).verdict == Verdict::Rest);
  CHECK(after(0, failed, policy).verdict == Verdict::RestartNow);
  CHECK(after(0, {Cause::OomKill, 0, 0ns}, policy).verdict == Verdict::RestartNow);
  policy.policy = config::RestartWhen::Never;
  CHECK(after(0, failed, policy).verdict == Verdict::Rest);
  CHECK(after(0, clean).verdict == Verdict::RestartNow);
}

TEST_CASE("attempts are counted in a row, and the last one is the end of it") {
  config::RestartConfig policy;
  policy.attempts = 3;
  CHECK(after(1, killed(), policy).verdict == Verdict::RestartNow);
  CHECK(after(2, killed(), policy).verdict == Verdict::GiveUp);
  End stable = killed();
  stable.ready_for = 31s;
  CHECK(after(2, stable, policy).verdict == Verdict::RestartNow);
}

}  // namespace perch::lifecycle
