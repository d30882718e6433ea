// SPDX-License-Identifier: Apache-2.0
// What a memory cgroup says about itself: evidence beside a death, and figures for the status.
// What the kernel does not tell is absent, never zero.
#pragma once

#include <cstdint>
#include <optional>

#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

struct MemoryEvidence {
  std::optional<std::uint64_t> usage_bytes{};  // page cache included
  std::optional<std::uint64_t> peak_bytes{};   // of the cgroup's whole life; version 2: Linux 5.19
  std::optional<std::uint64_t> limit_bytes{};  // the cgroup's own; absent: none
  bool peak_is_older = false;                  // than the generation it is told of
  std::optional<bool> oom_group{};             // version 2: an OOM kill takes the whole cgroup
  bool operator==(const MemoryEvidence&) const = default;
};

MemoryEvidence read_memory_evidence(const MemoryCgroup& cgroup);
// The lowest limit of the cgroup and those above it, as far as they are visible; nothing: none.
std::optional<std::uint64_t> lowest_limit(const MemoryCgroup& cgroup);

}  // namespace perch::process
