// SPDX-License-Identifier: Apache-2.0
// What a ClientStorm must have counted; apart from it, because this needs doctest.
#pragma once

#include "tests/support/client_storm.h"

namespace perch::test {

// Every connect was taken, and by one and the same socket file.
void check_nobody_was_turned_away(const StormCounts& counts);

}  // namespace perch::test
