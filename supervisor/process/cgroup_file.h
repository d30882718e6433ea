// SPDX-License-Identifier: Apache-2.0
// What the kernel writes into a cgroup's files: one number, or lines of "key number" (the flat
// keyed format of cgroup-v2.rst, which memory.oom_control of version 1 and /proc/vmstat share).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perch::process {

// The number behind `key` on a line of its own.
std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key);

// The number a text consists of; nothing for "max" and for anything else that is no number.
std::optional<std::uint64_t> plain_number(std::string_view text);

// plain_number() of a file; nothing where it cannot be read.
std::optional<std::uint64_t> number_in_file(const std::string& path);

}  // namespace perch::process
