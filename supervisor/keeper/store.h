// SPDX-License-Identifier: Apache-2.0
// Store: what a keeper keeps: descriptors under a key, with facts that mean something to perch
// alone. It owns the descriptors; that is all there is to keeping.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::keeper {

struct Deposit {
  std::string facts;
  std::vector<UniqueFd> fds;
};

class Store {
 public:
  using Entry = std::pair<const std::string, Deposit>;

  // Replaces what was kept under that key. An error: it is full, and holds what it held.
  Result<void> keep(const std::string& key, Deposit deposit);
  void drop(const std::string& key) { deposits_.erase(key); }
  // The one with the next key; the first after "", null after the last.
  [[nodiscard]] const Entry* after(const std::string& key) const;
  [[nodiscard]] bool has(const std::string& key) const { return deposits_.contains(key); }
  [[nodiscard]] std::size_t size() const noexcept { return deposits_.size(); }

 private:
  std::map<std::string, Deposit> deposits_;
};

}  // namespace perch::keeper
