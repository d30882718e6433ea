// SPDX-License-Identifier: Apache-2.0
// Downloads: one Download a task, however many ask for it, and what all of them share. The first
// caller's request headers are those the origin sees; they are no part of a task's id, here as in
// Dragonfly, so whoever may connect to the socket may have what it holds.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <string>

#include "worker/peer/download/download.h"

namespace perch::peer {

class Downloads {
 public:
  Downloads(Loop& loop, const Store& store, DownloadOptions options);
  Downloads(const Downloads&) = delete;
  Downloads& operator=(const Downloads&) = delete;

  // The running download of this id, else a new one. It runs as long as somebody holds it. A
  // failure when its callers expect too many digests already.
  std::expected<std::shared_ptr<Download>, Failure> join(DownloadSpec spec);
  // Removes the task; calls that wait for it are told to ask again.
  Result<void> discard(const std::string& id);

  [[nodiscard]] bool in_use(const std::string& id) const;
  [[nodiscard]] const Traffic& traffic() const noexcept { return traffic_; }

 private:
  DownloadOptions options_;
  CurlLoop curl_;
  ConnectionSlots slots_;
  TokenBucket rate_in_all_;
  Traffic traffic_;
  DownloadRoom room_;
  std::map<std::string, std::weak_ptr<Download>> running_;
};

}  // namespace perch::peer
