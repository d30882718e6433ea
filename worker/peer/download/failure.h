// SPDX-License-Identifier: Apache-2.0
// Failure: why a download, or one request of it, came to nothing; the reason is for people.
#pragma once

#include <chrono>
#include <string>

#include "common/value/error.h"

namespace perch::peer {

struct Failure {
  enum class Kind {
    NotFound,
    Denied,
    Unsupported,
    Unavailable,  // for now: worth another try
    Changed,      // another version than the one begun; whoever asks again gets the new one
    NoSpace,
    DataLoss,  // fetched twice, and not what its digest says
    Internal,
  };
  Kind kind;
  std::string reason;
  std::chrono::seconds retry_after{0};  // the origin's wish
};

inline Failure changed_file() {
  return {Failure::Kind::Changed, "the file changed at the origin: ask again"};
}

// Of the disk. A file above a limit on its size does not become shorter by waiting.
inline Failure failure_of(const Error& error) {
  if (error.is(EFBIG)) return {Failure::Kind::Unsupported, error.text()};
  const bool full = error.is(ENOSPC) || error.is(EDQUOT);
  return {full ? Failure::Kind::NoSpace : Failure::Kind::Internal, error.text()};
}

}  // namespace perch::peer
