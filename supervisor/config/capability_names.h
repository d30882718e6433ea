// SPDX-License-Identifier: Apache-2.0
// Capabilities as the configuration writes them. Pure; whether the running kernel has one is not
// asked here.
#pragma once

#include <string>
#include <string_view>

#include "common/value/capability_names.h"
#include "supervisor/config/units.h"

namespace perch::config {

// "CAP_NET_RAW", "cap_net_raw" and "NET_RAW" are all "cap_net_raw"; "all" stays.
Parsed<std::string> parse_capability(std::string_view text);

inline constexpr Unit<std::string> kCapability{"a capability such as \"cap_net_raw\"",
                                               parse_capability};

}  // namespace perch::config
