// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/unreclaimable_memory.h"

#include <array>
#include <charconv>
#include <string>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"

namespace perch::process {
namespace {

// The kernel's own, as far as it cannot be reclaimed.
std::uint64_t kernel_bytes(std::string_view stat) {
  const auto part = [&](std::string_view key) { return keyed_number(stat, key).value_or(0); };
  if (const auto kernel = keyed_number(stat, "kernel")) {
    // Counted apart, so one may be ahead of the other.
    return *kernel - std::min(*kernel, part("slab_reclaimable"));
  }
  return part("kernel_stack") + part("pagetables") + part("percpu") + part("slab_unreclaimable");
}

// "RssAnon:	     120 kB"
std::uint64_t kib_behind(std::string_view status, std::string_view key) {
  const std::size_t at = status.find(key);
  if (at == std::string_view::npos) return 0;
  status.remove_prefix(at + key.size());
  status.remove_prefix(std::min(status.find_first_not_of(" \t"), status.size()));
  std::uint64_t kib = 0;
  std::from_chars(status.data(), status.data() + status.size(), kib);
  return kib;
}

}  // namespace

std::optional<std::uint64_t> parse_unreclaimable(CgroupVersion version, std::string_view stat) {
  const bool first = version == CgroupVersion::V1;
  const auto anonymous = keyed_number(stat, first ? "total_rss" : "anon");
  const auto shared = keyed_number(stat, first ? "total_shmem" : "shmem");
  if (!anonymous || !shared) return std::nullopt;
  if (first) return *anonymous + *shared;
  return *anonymous + *shared + kernel_bytes(stat) + keyed_number(stat, "sock").value_or(0);
}

std::uint64_t parse_resident(std::string_view status) {
  return (kib_behind(status, "\nRssAnon:") + kib_behind(status, "\nRssShmem:")) * 1024;
}

std::optional<std::uint64_t> unreclaimable_bytes(const MemoryCgroup& cgroup) {
  if (cgroup.version == CgroupVersion::None) return std::nullopt;
  const auto stat = read_file(cgroup.directory + "/memory.stat");
  return stat ? parse_unreclaimable(cgroup.version, *stat) : std::nullopt;
}

std::uint64_t resident_bytes(std::span<const pid_t> processes) {
  std::uint64_t sum = 0;
  for (const pid_t pid : processes) {
    const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
    if (status) sum += parse_resident(*status);
  }
  return sum;
}

}  // namespace perch::process
