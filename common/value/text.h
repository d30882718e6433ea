// SPDX-License-Identifier: Apache-2.0
// Text for people and machines: times, and bytes of any origin made safe to show. Needs no locale
// and no time zone, so it works in a static program.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace perch {

// RFC 3339 in UTC with milliseconds: "2026-01-01T00:00:00.000Z".
std::string rfc3339(std::chrono::system_clock::time_point time);

// One line that no terminal acts upon: control characters (C1 in UTF-8 included) become \n, \t or
// \x1b, everything else stays as it is.
std::string printable(std::string_view text);

}  // namespace perch
