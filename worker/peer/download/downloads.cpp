// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/downloads.h"

#include <utility>

namespace perch::peer {

Downloads::Downloads(Loop& loop, const Store& store, DownloadOptions options)
    : options_(std::move(options)),
      curl_(loop, options_.connections_in_all),
      slots_(options_.connections_in_all),
      rate_in_all_(options_.rate_in_all),
      room_{loop, curl_, store, options_, slots_, rate_in_all_, traffic_} {}

std::expected<std::shared_ptr<Download>, Failure> Downloads::join(DownloadSpec spec) {
  std::erase_if(running_, [](const auto& entry) { return entry.second.expired(); });
  auto& slot = running_[spec.id];
  if (auto running = slot.lock(); running && running->alive()) {
    if (!spec.digest || running->want(*spec.digest)) return running;
    return std::unexpected(Failure{Failure::Kind::NoSpace,
                                   "digest: too many others are expected of this file: ask later"});
  }
  auto fresh = std::make_shared<Download>(room_, std::move(spec));
  slot = fresh;
  fresh->begin();
  return fresh;
}

Result<void> Downloads::discard(const std::string& id) {
  if (const auto running = running_.find(id); running != running_.end()) {
    if (const auto download = running->second.lock(); download && download->alive()) {
      download->fail({Failure::Kind::Changed, "the task was removed: ask again"});
    }
    running_.erase(running);
  }
  return room_.store.remove(id);
}

bool Downloads::in_use(const std::string& id) const {
  const auto running = running_.find(id);
  return running != running_.end() && !running->second.expired();
}

}  // namespace perch::peer
