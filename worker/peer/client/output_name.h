// SPDX-License-Identifier: Apache-2.0
// The file a URL is saved as when nobody named one: its last path segment, with %XX decoded. A URL
// is somebody else's text, so a name that could do more than name a new file here is refused. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/value/error.h"

namespace perch::peer {

// Refused: no name at all, one with a slash or a control character, one that begins with '.' or
// '-', and one that no file system takes.
Result<std::string> output_name(std::string_view url);

}  // namespace perch::peer
