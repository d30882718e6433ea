// SPDX-License-Identifier: Apache-2.0
// toml11's message of many lines, with excerpts of the text and underlines, boiled down to one line
// and one position. Pure.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/config/text_guard.h"

namespace perch::config {

// `fallback` where the message shows no place. toml11's own idea of the position is often the
// beginning of the line; the last underline of the message is the better one.
Unreadable boiled_down(std::string_view message, Position fallback);

}  // namespace perch::config
