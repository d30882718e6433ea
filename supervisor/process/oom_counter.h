// SPDX-License-Identifier: Apache-2.0
// OomCounter: how many processes the kernel's OOM killer has taken in a memory cgroup, as the
// kernel counts them. The counter moves before the victim gets its SIGKILL, so what is read after
// the reap is final. Compare with grew() only, never by difference: under memory.oom.group the
// victim is counted twice. Version 2 counts descendants too, version 1 does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

struct OomCount {
  bool known = false;  // false: this system counts nothing that we may read
  std::uint64_t kills = 0;
  std::uint64_t group_kills = 0;  // version 2, Linux 5.17
  bool operator==(const OomCount&) const = default;
};

// Never true unless both are known: a missing counter is no evidence of an OOM kill.
constexpr bool grew(const OomCount& before, const OomCount& after) {
  return before.known && after.known &&
         (after.kills > before.kills || after.group_kills > before.group_kills);
}

// The text of memory.events, memory.oom_control or /proc/vmstat. Unknown without "oom_kill", which
// version 1 has had since Linux 4.13.
OomCount parse_oom_count(std::string_view text);

class OomCounter {
 public:
  // Never fails: where there is no counter, it reads as unknown. At the root of version 2, which
  // has no memory.events, kills are counted for the whole host.
  static OomCounter open(const MemoryCgroup& cgroup);

  // A few microseconds: the file stays open.
  [[nodiscard]] Result<OomCount> read() const;
  // For people: the file that is read, "host: /proc/vmstat", or why there is none.
  [[nodiscard]] const std::string& source() const noexcept { return source_; }

 private:
  OomCounter(UniqueFd file, std::string source) noexcept;
  UniqueFd file_;
  std::string source_;
};

}  // namespace perch::process
