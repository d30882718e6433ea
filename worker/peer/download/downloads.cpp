// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/downloads.h"

#include <utility>

namespace perch::peer {

std::shared_ptr<Download> Downloads::join(DownloadSpec spec) {
  std::erase_if(running_, [](const auto& entry) { return entry.second.expired(); });
  auto& slot = running_[spec.id];
  if (auto running = slot.lock(); running && !running->failure()) return running;
  auto fresh = std::make_shared<Download>(room_, std::move(spec));
  slot = fresh;
  fresh->begin();
  return fresh;
}

bool Downloads::in_use(const std::string& id) const {
  const auto running = running_.find(id);
  return running != running_.end() && !running->second.expired();
}

Result<void> Downloads::discard(const std::string& id) {
  running_.erase(id);
  return room_.store.remove(id);
}

}  // namespace perch::peer
