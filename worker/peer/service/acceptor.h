// SPDX-License-Identifier: Apache-2.0
// Acceptor: polls one listener and hands its connections on. The listener never blocks: where
// several generations poll it, one of them gets the connection and the others go on.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/loop/fd_watcher.h"
#include "common/loop/timer.h"
#include "common/value/unique_fd.h"

namespace perch::peer {

class Acceptor {
 public:
  using OnConnection = std::function<void(UniqueFd connection)>;
  // Called with what goes wrong in accept(); the listener rests for a moment then.
  using OnTrouble = std::function<void(const Error& error)>;

  // `listener` is a listening, non-blocking socket; it is polled when this returns.
  static Result<std::unique_ptr<Acceptor>> start(Loop& loop, UniqueFd listener,
                                                 OnConnection on_connection, OnTrouble on_trouble);

  // Accepts everybody who waits already: before a listener that nobody new can reach is let go.
  void accept_queued();

 private:
  enum class Queue { Empty, More };
  Acceptor(Loop& loop, UniqueFd listener, OnConnection on_connection, OnTrouble on_trouble);
  Queue accept_some();

  UniqueFd listener_;
  OnConnection on_connection_;
  OnTrouble on_trouble_;
  Timer rest_;
  std::optional<FdWatcher> watcher_;
};

}  // namespace perch::peer
