// SPDX-License-Identifier: Apache-2.0
// The status document as people read it, at 80 columns. Fields that are missing or of an unknown
// kind (another version of perch answered) are shown as "-". Nothing in the document reaches the
// terminal as a control character.
#pragma once

#include <string>
#include <string_view>

#include "common/value/error.h"

namespace perch::cli {

enum class Colour { Off, On };

// `document` is the JSON of /v1/status; an error when it is none.
Result<std::string> status_table(std::string_view document, Colour colour);

// "0.8ms" "120ms" "12.3s" "3m12s" "5h04m" "2d03h"
std::string human_duration(double seconds);

}  // namespace perch::cli
