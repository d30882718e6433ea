// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/store.h"

#include "supervisor/keeper/protocol.h"

namespace perch::keeper {

Result<void> Store::keep(const std::string& key, Deposit deposit) {
  if (!deposits_.contains(key) && deposits_.size() >= kMaxDeposits) {
    return refuse("a keeper keeps " + std::to_string(kMaxDeposits) +
                  " listeners at most: run another one for the others");
  }
  deposits_.insert_or_assign(key, std::move(deposit));
  return {};
}

const Store::Entry* Store::after(const std::string& key) const {
  const auto next = deposits_.upper_bound(key);
  return next == deposits_.end() ? nullptr : &*next;
}

}  // namespace perch::keeper
