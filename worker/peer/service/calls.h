// SPDX-License-Identifier: Apache-2.0
// Calls: all DownloadTask calls in progress, on the loop. A bounded number, so that clients cannot
// make the peer grow.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "worker/peer/service/download_call.h"

namespace perch::peer {

class Calls final : public ResponseStream::Owner {
 public:
  Calls(CallRoom room, std::function<void()> on_idle)
      : room_(std::move(room)), on_idle_(std::move(on_idle)) {}

  // RESOURCE_EXHAUSTED above the limit, UNAVAILABLE after refuse_more().
  void begin(ResponseStream& stream, const Caller& caller,
             const dfdaemon::v2::DownloadTaskRequest& request);
  void on_written(ResponseStream& stream, bool ok) override;
  void on_cancelled(ResponseStream& stream) override;

  [[nodiscard]] bool empty() const noexcept { return running_.empty(); }
  [[nodiscard]] std::size_t count() const noexcept { return running_.size(); }
  // From now on there are only those in progress, also for clients who stay connected.
  void refuse_more() noexcept { refusing_ = true; }
  // Ends all of them as UNAVAILABLE: clients ask again, and find the finished pieces.
  void end_all();

 private:
  void end(const ResponseStream* stream);

  CallRoom room_;
  bool refusing_ = false;
  std::function<void()> on_idle_;  // after a call has ended and none is left
  std::map<const ResponseStream*, std::unique_ptr<DownloadCall>> running_;
};

}  // namespace perch::peer
