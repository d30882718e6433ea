// SPDX-License-Identifier: Apache-2.0
// Downloads: one Download a task, however many ask for it. The first caller's request headers are
// those the origin sees; they are no part of a task's id, here as in Dragonfly, so whoever may
// connect to the socket may have what it holds.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "worker/peer/download/download.h"

namespace perch::peer {

class Downloads {
 public:
  explicit Downloads(const Download::Room& room) : room_(room) {}

  // The running download of this id, else a new one. It runs as long as somebody holds it.
  std::shared_ptr<Download> join(DownloadSpec spec);
  // The stored data is wrong: the next join() starts over.
  Result<void> discard(const std::string& id);
  [[nodiscard]] bool in_use(const std::string& id) const;

 private:
  Download::Room room_;
  std::map<std::string, std::weak_ptr<Download>> running_;
};

}  // namespace perch::peer
