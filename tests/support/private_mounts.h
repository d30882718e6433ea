// SPDX-License-Identifier: Apache-2.0
// File systems made for one test: a thread with mounts of its own, which end with it. Needs root.
#pragma once

#include <functional>
#include <string>

namespace perch::test {

// Runs it in a thread of its own, in whose mount namespace nothing is shared with the rest; what it
// throws comes out here. Without root: in this namespace, and mounting fails.
void in_private_mounts(const std::function<void()>& what);

// A tmpfs on the directory, e.g. "size=1m"; with MS_REMOUNT in `flags` the one that is there is
// changed. Throws std::system_error.
void mount_tmpfs(const std::string& directory, unsigned long flags, const std::string& options);

}  // namespace perch::test
