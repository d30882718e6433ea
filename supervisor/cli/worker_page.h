// SPDX-License-Identifier: Apache-2.0
// One worker of the status document in full, at 80 columns: every count, the last deaths with their
// evidence and last words, and the listeners it has.
#pragma once

#include <string>
#include <string_view>

#include "common/value/error.h"
#include "supervisor/cli/terminal.h"

namespace perch::cli {

// `document` is the JSON of /v1/status. The error is for people: no such document or no such
// worker, and then who there is.
Result<std::string> worker_page(std::string_view document, const std::string& name, Colour colour);

}  // namespace perch::cli
