// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/mailbox.h"

#include <utility>

namespace perch::peer {

Mailbox::Mailbox(Loop& loop) : wake_(loop, [this] { deliver(); }) {}

bool Mailbox::post(Letter letter) {
  const std::scoped_lock lock(mutex_);
  if (closed_) return false;
  letters_.push_back(std::move(letter));
  // Under the lock, so that nobody wakes a loop that close() has already let go.
  wake_.send();
  return true;
}

void Mailbox::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  deliver();
}

void Mailbox::deliver() {
  std::vector<Letter> letters;
  {
    const std::scoped_lock lock(mutex_);
    letters.swap(letters_);
  }
  for (const Letter& letter : letters) letter();
}

}  // namespace perch::peer
