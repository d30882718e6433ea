// SPDX-License-Identifier: Apache-2.0
#include "supervisor/line_tail.h"

#include <algorithm>
#include <utility>

namespace perch {

void LineTail::add(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    open_.append(bytes.substr(0, std::min(end, kWidth - open_.size())));
    if (end == bytes.size()) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void LineTail::end_line() {
  ended_.push_back(std::exchange(open_, {}));
  if (ended_.size() > kLines) ended_.pop_front();
}

std::vector<std::string> LineTail::lines() const {
  std::vector<std::string> all(ended_.begin(), ended_.end());
  if (!open_.empty()) all.push_back(open_);
  if (all.size() > kLines) all.erase(all.begin());
  return all;
}

}  // namespace perch
