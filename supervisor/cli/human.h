// SPDX-License-Identifier: Apache-2.0
// Human: numbers and times as people read them. Pure, but for this machine's time zone.
#pragma once

#include <cstdint>
#include <string>

namespace perch::cli {

// "0.8ms" "120ms" "12.3s" "3m12s" "5h04m" "2d03h"
std::string human_duration(double seconds);

// "512 B" "12.0 KiB" "1.5 GiB"
std::string human_bytes(std::uint64_t bytes);

// "2026-01-31 12:00:00.000" of an RFC 3339 time in UTC; as it stands where it is none.
std::string local_time(const std::string& at);

}  // namespace perch::cli
