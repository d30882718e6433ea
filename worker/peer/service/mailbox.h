// SPDX-License-Identifier: Apache-2.0
// Mailbox: how gRPC's threads speak to the loop. Letters are functions, run on the loop in the
// order they were posted. Nothing else in the peer is shared between threads.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

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
  void deliver();

  std::mutex mutex_;
  std::vector<Letter> letters_;
  bool closed_ = false;
  Async wake_;
};

}  // namespace perch::peer
