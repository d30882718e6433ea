// SPDX-License-Identifier: Apache-2.0
// Obstacle: why a path is not ours after an attempt to claim it. Which of the three it is decides
// what perch does: wait, give up with exit code 3, or give up with exit code 1. Attempt<T> carries
// one of them upward through the steps of a claim.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <variant>

#include "common/value/error.h"

namespace perch::listener {

// Somebody holds the path: worth waiting for.
struct Owned {
  std::string by;  // for people: "a live socket (pid 17, dfdaemon)", "another perch (pid 4)"
};

// The path can never be ours as things are: no waiting helps. One whole line for people, with the
// remedy.
struct Refused {
  std::string why;
};

// An Error among them is a refusal of the system: no directory, no permission, no memory.
using Obstacle = std::variant<Owned, Refused, Error>;

template <class T>
using Attempt = std::expected<T, Obstacle>;

inline std::unexpected<Obstacle> owned(std::string by) {
  return std::unexpected<Obstacle>(Owned{std::move(by)});
}
inline std::unexpected<Obstacle> refused(std::string why) {
  return std::unexpected<Obstacle>(Refused{std::move(why)});
}
inline std::unexpected<Obstacle> failed(Error error) {
  return std::unexpected<Obstacle>(std::move(error));
}

}  // namespace perch::listener
