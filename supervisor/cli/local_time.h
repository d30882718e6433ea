// SPDX-License-Identifier: Apache-2.0
// Local time: when something was, as people read it. Depends on this machine's time zone alone;
// perch itself logs and answers in UTC.
#pragma once

#include <string>

namespace perch::cli {

// "2026-01-31 12:00:00.000" of an RFC 3339 time in UTC; as it stands where it is none.
std::string local_time(const std::string& at);

}  // namespace perch::cli
