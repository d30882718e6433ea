// SPDX-License-Identifier: Apache-2.0
// What the tests of the configuration share: one text in, all problems out.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/config/load.h"

namespace perch::config::test {

// A file of one listener and one worker, whose line 6 is the first that a test adds.
inline constexpr std::string_view kBase = R"([listeners.api]
path = "/run/app/api.sock"
[workers.app]
command = ["/usr/bin/app"]
listeners = ["api"]
)";

// One problem a line; "" if the text is valid. The file is called "f".
std::string problems_of(std::string_view text, const Overrides& overrides = {});

// Fails the test with the problems, if there are any.
Config valid(std::string_view text, const Overrides& overrides = {});

}  // namespace perch::config::test
