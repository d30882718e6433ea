// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/memory_evidence.h"

#include <string>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"

namespace perch::process {
namespace {

// Version 1 writes "no limit" as LONG_MAX rounded down to a page, whose size varies.
std::optional<std::uint64_t> without_no_limit(std::optional<std::uint64_t> limit) {
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62U;
  return limit && *limit < kNoLimit ? limit : std::nullopt;
}

std::optional<bool> as_flag(std::optional<std::uint64_t> number) {
  if (!number) return std::nullopt;
  return *number != 0;
}

}  // namespace

MemoryEvidence read_memory_evidence(const MemoryCgroup& cgroup) {
  const auto number = [&](const char* file) {
    return number_in_file(cgroup.directory + "/" + file);
  };
  switch (cgroup.version) {
    case CgroupVersion::None:
      return {};
    case CgroupVersion::V1:
      return {.usage_bytes = number("memory.usage_in_bytes"),
              .peak_bytes = number("memory.max_usage_in_bytes"),
              .limit_bytes = without_no_limit(number("memory.limit_in_bytes")),
              .oom_group = std::nullopt};
    case CgroupVersion::V2:
      return {.usage_bytes = number("memory.current"),
              .peak_bytes = number("memory.peak"),
              .limit_bytes = number("memory.max"),
              .oom_group = as_flag(number("memory.oom.group"))};
  }
  return {};
}

std::optional<std::uint64_t> lowest_limit(const MemoryCgroup& cgroup) {
  std::string directory = cgroup.directory;
  if (cgroup.version == CgroupVersion::V1) {
    const auto stat = read_file(directory + "/memory.stat");
    return stat ? without_no_limit(keyed_number(*stat, "hierarchical_memory_limit")) : std::nullopt;
  }
  std::optional<std::uint64_t> lowest;
  // Absent at the root, and above what is mounted.
  for (auto text = read_file(directory + "/memory.max"); text;
       text = read_file(directory + "/memory.max")) {
    if (text->ends_with('\n')) text->pop_back();
    const auto limit = plain_number(*text);
    if (limit && (!lowest || *limit < *lowest)) lowest = limit;
    directory.erase(directory.rfind('/'));
  }
  return lowest;
}

}  // namespace perch::process
