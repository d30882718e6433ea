// SPDX-License-Identifier: Apache-2.0
// Human: amounts as people read them, short and rounded. What is read back by a program is written
// elsewhere, whole. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace perch {

// "0.8ms" "120ms" "12.3s" "3m12s" "5h04m" "2d03h"
std::string human_duration(double seconds);

// "512 B" "12.0 KiB" "1.5 GiB"
std::string human_bytes(std::uint64_t bytes);

}  // namespace perch
