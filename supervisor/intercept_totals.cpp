// SPDX-License-Identifier: Apache-2.0
#include "supervisor/intercept_totals.h"

#include <array>
#include <string_view>
#include <utility>

namespace perch {
namespace {

using handover::InterceptCounts;

constexpr auto kCalls =
    std::to_array<std::pair<std::string_view, std::uint64_t InterceptCounts::*>>(
        {{"bind", &InterceptCounts::bound},
         {"listen", &InterceptCounts::listens},
         {"unlink", &InterceptCounts::unlinks},
         {"rename", &InterceptCounts::renames},
         {"rename-over", &InterceptCounts::refused},
         {"shutdown", &InterceptCounts::shutdowns},
         {"chmod", &InterceptCounts::chmods},
         {"connect", &InterceptCounts::probes},
         {"tcp-bind", &InterceptCounts::reused},
         {"unreadable", &InterceptCounts::unreadable}});
static_assert(sizeof(InterceptCounts) == kCalls.size() * sizeof(std::uint64_t));

}  // namespace

void InterceptTotals::add(const InterceptCounts& ended) {
  for (const auto& [name, count] : kCalls) ended_.*count += ended.*count;
}

control::CallCounts InterceptTotals::with(const InterceptCounts& living) const {
  control::CallCounts counts;
  for (const auto& [name, count] : kCalls) {
    counts.emplace_back(name, ended_.*count + living.*count);
  }
  return counts;
}

}  // namespace perch
