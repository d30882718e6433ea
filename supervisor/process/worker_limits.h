// SPDX-License-Identifier: Apache-2.0
// WorkerLimits: what a worker's own cgroup is to hold it to, and how much of the container's memory
// that may be. Written at its making and again at every change. A limit below what the worker has
// is for the caller to avoid: the kernel reclaims, and kills, within the write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

struct WorkerLimits {
  std::optional<std::uint64_t> memory_max{};
  std::optional<std::uint64_t> memory_high{};
  std::optional<unsigned> pids_max{};
  std::optional<unsigned> cpu_weight{};
  bool kill_as_one = false;  // an OOM kill takes all of the worker
  bool operator==(const WorkerLimits&) const = default;
};

// What perch leaves to its workers of a container's memory: the container's own limit, where a kill
// might take perch, is not to be reached before theirs. Pure.
std::uint64_t left_to_workers(std::uint64_t container);

// What of it could not be applied, each a line that names key, file and reason. The controllers for
// pids_max and cpu_weight are switched on for a divided cgroup's workers by the first that has such
// a limit: they cost every fork and every switch of tasks.
std::vector<std::string> apply_limits(const MemoryCgroup& cgroup, const WorkerLimits& limits);

}  // namespace perch::process
