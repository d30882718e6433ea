// SPDX-License-Identifier: Apache-2.0
// Mailbox: how gRPC's threads speak to the loop. Letters are functions, run on the loop in the
// order they were posted, some at each turn. Nothing else in the peer is shared between threads but
// an Allowance.
#pragma once

#include <deque>
#include <functional>
#include <mutex>

#include "common/loop/async.h"

namespace perch::peer {

class Mailbox {
 public:
  using Letter = std::function<void()>;

  explicit Mailbox(Loop& loop);

  // From any thread. False once it is closed: the letter will never be read.
  bool post(Letter letter);
  // From the loop: reads what has come, and refuses what would come later.
  void close();

 private:
  void deliver(std::size_t most);

  std::mutex mutex_;
  std::deque<Letter> letters_;
  bool closed_ = false;
  Async wake_;
};

}  // namespace perch::peer
