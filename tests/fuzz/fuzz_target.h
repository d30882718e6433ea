// SPDX-License-Identifier: Apache-2.0
// What a fuzzer calls with bytes of any kind. It returns when all is well; what it finds wrong ends
// the process, as a crash does.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
