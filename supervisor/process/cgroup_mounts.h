// SPDX-License-Identifier: Apache-2.0
// The two texts of /proc that say where a process is among the cgroups, as values: its memberships
// (/proc/self/cgroup, cgroups(7)) and the cgroup file systems it sees (/proc/self/mountinfo,
// proc(5)). Pure; what is malformed is left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace perch::process {

struct CgroupMembership {
  std::string_view controllers;  // "cpu,cpuacct"; empty: the version 2 hierarchy
  std::string_view path;         // relative to the root of the cgroup namespace
};

struct CgroupMount {
  std::string root;          // which part of the hierarchy is mounted, unescaped
  std::string mount_point;   // unescaped
  bool unified = false;      // version 2
  std::string_view options;  // of the file system: with version 1 they name the controllers
};

// The views point into `text`.
std::vector<CgroupMembership> parse_cgroup_memberships(std::string_view text);
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view text);

// Whether a comma-separated list has this entry.
bool lists(std::string_view list, std::string_view entry);

}  // namespace perch::process
