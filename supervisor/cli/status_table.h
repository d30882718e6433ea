// SPDX-License-Identifier: Apache-2.0
// The status document as people read it, at 80 columns: all workers and listeners, with what of
// them matters at a glance.
#pragma once

#include <string>
#include <string_view>

#include "common/value/error.h"
#include "supervisor/cli/terminal.h"

namespace perch::cli {

// `document` is the JSON of /v1/status; an error when it is none.
Result<std::string> status_table(std::string_view document, Colour colour);

}  // namespace perch::cli
