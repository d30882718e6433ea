// SPDX-License-Identifier: Apache-2.0
// What the tests of the hand-over share: a loop that runs until something is so, and files that
// stand for listeners.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/posix/notify_message.h"
#include "common/value/unique_fd.h"
#include "supervisor/handover/channel.h"

namespace perch::test {

// Turns the loop until `predicate` holds; false if it never does.
bool run_until(Loop& loop, const std::function<bool()>& predicate);
// Turns it until nothing is left to be read.
void run_all(Loop& loop);

// Writes down each message's text.
class Heard {
 public:
  std::function<void(const NotifyMessage&)> listener() {
    return [this](const NotifyMessage& message) { texts.push_back(message.text()); };
  }
  std::vector<std::string> texts;
};

UniqueFd named_file(const std::string& name);
// The name that named_file gave to this or another descriptor of the same file.
std::string name_of(const UniqueFd& file);

}  // namespace perch::test
