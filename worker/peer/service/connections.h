// SPDX-License-Identifier: Apache-2.0
// Connections: who is connected, and no more than so many. gRPC owns the sockets and does not tell
// when it lets one go; but it shuts a socket down before it closes it, and that is seen here
// through a duplicate of the descriptor.
#pragma once

#include <functional>
#include <map>

#include "common/loop/fd_watcher.h"
#include "common/value/unique_fd.h"
#include "worker/peer/service/caller.h"

namespace perch::peer {

class Connections {
 public:
  Connections(Loop& loop, std::size_t limit) : loop_(loop), limit_(limit) {}

  [[nodiscard]] bool full() const noexcept { return open_.size() >= limit_; }
  [[nodiscard]] std::size_t count() const noexcept { return open_.size(); }
  [[nodiscard]] bool any_of(const Caller& caller) const;
  Result<void> add(const UniqueFd& connection, const Caller& caller);

 private:
  struct Open {
    UniqueFd duplicate;
    Caller caller;
    FdWatcher watcher;
  };

  Loop& loop_;
  std::size_t limit_;
  std::map<int, Open> open_;  // by duplicate
};

// The last words to a client that cannot be served: HTTP/2's "enhance your calm", which gRPC knows
// as RESOURCE_EXHAUSTED, with the reason.
void turn_away(UniqueFd connection, const std::string& reason);

}  // namespace perch::peer
