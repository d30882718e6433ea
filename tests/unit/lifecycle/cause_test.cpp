// SPDX-License-Identifier: Apache-2.0
#include "supervisor/lifecycle/cause.h"

#include <doctest/doctest.h>

#include <csignal>
#include <set>
#include <string>

namespace perch::lifecycle {

TEST_CASE("every cause has a name of its own") {
  std::set<std::string_view> names;
  for (const Cause cause : kAllCauses) names.insert(name(cause));
  CHECK(names.size() == kAllCauses.size());
  CHECK(names.contains("oom-kill"));
  for (std::size_t i = 0; i < kAllCauses.size(); ++i) {
    CHECK(static_cast<std::size_t>(kAllCauses.at(i)) == i);
  }
}

TEST_CASE("a death has one cause: perch's own kill before the OOM killer's before the signal") {
  struct Row {
    DeathFacts facts;
    Cause expected;
  };
  const Row rows[] = {
      {{StopReason::None, false, 0, false}, Cause::Exit},
      {{StopReason::None, false, 3, true}, Cause::Exit},
      {{StopReason::None, true, SIGKILL, false}, Cause::Signal},
      {{StopReason::None, true, SIGKILL, true}, Cause::OomKill},
      {{StopReason::None, true, SIGSEGV, true}, Cause::Signal},
      {{StopReason::None, true, SIGTERM, true}, Cause::Signal},
      {{StopReason::Requested, true, SIGKILL, true}, Cause::Requested},
      {{StopReason::Restart, false, 0, false}, Cause::Requested},
      {{StopReason::NeverReady, true, SIGTERM, false}, Cause::NeverReady},
      {{StopReason::Watchdog, true, SIGKILL, true}, Cause::Watchdog},
      {{StopReason::Probe, true, SIGKILL, false}, Cause::Probe},
      {{StopReason::MemoryHigh, true, SIGTERM, false}, Cause::MemoryRecycle},
      {{StopReason::ChildOom, false, 0, false}, Cause::OomKill},
      {{StopReason::ChildOom, true, SIGTERM, false}, Cause::OomKill},
  };
  for (const Row& row : rows) CHECK(classify(row.facts) == row.expected);
}

}  // namespace perch::lifecycle
