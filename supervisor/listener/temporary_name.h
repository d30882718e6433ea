// SPDX-License-Identifier: Apache-2.0
// The names under which a socket waits, for a moment, to take a path's place. Short, since they are
// bound through /proc/self/fd; and tied to the path's lock, so that two paths in one directory
// never take each other's for left-over, and a later holder of the lock knows what to clear.
#pragma once

#include <sys/types.h>

#include <string>

namespace perch::listener {

// One is enough, unless somebody's live socket was left under it.
inline constexpr int kTemporaryNames = 4;

inline std::string temporary_name(ino_t lock_inode, int number) {
  return ".perch-" + std::to_string(lock_inode) + "-" + std::to_string(number);
}

}  // namespace perch::listener
