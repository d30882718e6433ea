// SPDX-License-Identifier: Apache-2.0
// MemoryPeak: the most that a memory cgroup of our own ever used, or, where the kernel lets us
// begin anew (version 1, and version 2 since Linux 6.12), since a generation was born.
#pragma once

#include <cstdint>
#include <optional>

#include "common/value/unique_fd.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

class MemoryPeak {
 public:
  // Reads as nothing where there is no such file.
  explicit MemoryPeak(const MemoryCgroup& cgroup);
  // From now on.
  void begin_anew();
  [[nodiscard]] std::optional<std::uint64_t> bytes() const;
  // It goes back further than the last begin_anew().
  [[nodiscard]] bool is_older() const noexcept { return is_older_; }

 private:
  // Version 2 begins anew for whoever reads by this descriptor, and for nobody else.
  UniqueFd file_;
  bool is_older_ = false;
};

}  // namespace perch::process
