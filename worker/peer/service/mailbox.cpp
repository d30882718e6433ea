// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/mailbox.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

namespace perch::peer {
namespace {

// Whoever floods the mailbox shares the loop with what else is to be done.
constexpr std::size_t kLettersATurn = 32;

}  // namespace

Mailbox::Mailbox(Loop& loop) : wake_(loop, [this] { deliver(kLettersATurn); }) {}

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
  deliver(std::numeric_limits<std::size_t>::max());
}

void Mailbox::deliver(std::size_t most) {
  std::vector<Letter> letters;
  {
    const std::scoped_lock lock(mutex_);
    const auto end =
        letters_.begin() + static_cast<std::ptrdiff_t>(std::min(most, letters_.size()));
    letters.assign(std::move_iterator(letters_.begin()), std::move_iterator(end));
    letters_.erase(letters_.begin(), end);
    if (!letters_.empty()) wake_.send();
  }
  for (const Letter& letter : letters) letter();
}

}  // namespace perch::peer
