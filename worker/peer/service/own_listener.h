// SPDX-License-Identifier: Apache-2.0
// The peer's own socket, for trying it out without perch. It shows what perch is for: a path that a
// killed process left behind is refused here, and nobody keeps clients waiting meanwhile.
#pragma once

#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::peer {

// Binds and listens, mode 0660. EADDRINUSE when anything is at the path; it is not removed.
Result<UniqueFd> own_listener(const std::string& path);

}  // namespace perch::peer
