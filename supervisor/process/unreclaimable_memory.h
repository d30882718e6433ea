// SPDX-License-Identifier: Apache-2.0
// How much memory the kernel could not take back if it had to: what a worker really needs. Page
// cache is none of it: a cgroup in which somebody writes files is full of it at any time, and
// nobody is killed for that.
//  - version 2: anon + shmem + kernel - slab_reclaimable + sock of memory.stat. Before Linux 5.18,
//    which brought "kernel", the sum of its parts.
//  - version 1: total_rss (anonymous) + total_shmem; it does not tell what the kernel needs.
//  - of processes: RssAnon + RssShmem. What several share counts for each of them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

// The text of memory.stat.
std::optional<std::uint64_t> parse_unreclaimable(CgroupVersion version, std::string_view stat);
// The text of /proc/PID/status; nothing of a kernel thread or a zombie.
std::uint64_t parse_resident(std::string_view status);

// Of the cgroup and those below it.
std::optional<std::uint64_t> unreclaimable_bytes(const MemoryCgroup& cgroup);
std::uint64_t resident_bytes(std::span<const pid_t> processes);

}  // namespace perch::process
