// SPDX-License-Identifier: Apache-2.0
// What this process costs, as the kernel tells it: read when asked for, a few dozen microseconds
// and one more for every open descriptor. What cannot be read (no /proc) is absent, never zero.
#pragma once

#include <cstdint>
#include <optional>

namespace perch {

struct ProcessFigures {
  std::optional<double> cpu_seconds{};  // user and system, all threads, no children
  std::optional<std::uint64_t> resident_bytes{};
  std::optional<std::uint64_t> virtual_bytes{};
  std::optional<std::uint64_t> open_fds{};
  std::optional<std::uint64_t> max_fds{};  // RLIMIT_NOFILE, soft
};

ProcessFigures own_process_figures();

}  // namespace perch
