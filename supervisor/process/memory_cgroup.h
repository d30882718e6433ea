// SPDX-License-Identifier: Apache-2.0
// Which memory cgroup this process lives in, seen from a host or from inside a container: version
// 1, 2 or a hybrid of both, with or without a cgroup namespace, through bind mounts. The mapping
// from the two texts of /proc is pure; own_memory_cgroup() adds what only the file system knows.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace perch::process {

enum class CgroupVersion { None, V1, V2 };

// A cgroup's directory in a mounted hierarchy.
struct CgroupPlace {
  std::string directory;
  // Not zero where the mount was made outside of our cgroup namespace (mountinfo's root reads
  // "/.."): our cgroup is then this many levels below `directory`, under names that are not shown.
  std::size_t levels_below = 0;
  std::string mount_point;
  bool operator==(const CgroupPlace&) const = default;
};

struct MemoryCgroup {
  CgroupVersion version = CgroupVersion::None;
  std::string directory;  // its files are read here; empty with None
  // The hierarchy's own root, not that of a cgroup namespace, which looks the same in /proc.
  bool is_root = false;
  bool operator==(const MemoryCgroup&) const = default;
};

struct MemoryCgroupPlace {
  CgroupVersion version = CgroupVersion::None;
  CgroupPlace place;
  bool operator==(const MemoryCgroupPlace&) const = default;
};

// Pure: the texts of /proc/self/cgroup and /proc/self/mountinfo. In a hybrid the memory controller
// is on one of the two versions, and /proc/self/cgroup says so by listing it for version 1.
// Malformed lines are skipped.
MemoryCgroupPlace locate_memory_cgroup(std::string_view cgroups, std::string_view mountinfo);

// Pure: our cgroup in the version 2 hierarchy, whatever controllers it has.
std::optional<CgroupPlace> locate_unified_cgroup(std::string_view cgroups,
                                                 std::string_view mountinfo);

// The same for this process, now. With version 2 it is the nearest cgroup at or above our own for
// which the memory controller is enabled: that is the one our memory is charged to.
MemoryCgroup own_memory_cgroup();
std::optional<std::string> own_unified_cgroup();

}  // namespace perch::process
