// SPDX-License-Identifier: Apache-2.0
// MetricsPage: GET /metrics on a listener of its own, which perch hands over under the name
// "metrics" as it does the other: so it, too, outlives the peer. Whoever may connect may ask.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/http/http_server.h"
#include "common/loop/loop.h"
#include "common/value/unique_fd.h"

namespace perch::peer {

// By this name a listener is not one for gRPC.
inline constexpr const char* kMetricsListener = "metrics";

class MetricsPage {
 public:
  // `text` is asked for at each request.
  MetricsPage(Loop& loop, std::function<std::string()> text)
      : loop_(loop), text_(std::move(text)) {}

  // In place of the listener before, if there was one. `listener` is non-blocking.
  Result<void> listen_on(UniqueFd listener);
  // Asks no more; connections are closed.
  void close();

 private:
  [[nodiscard]] HttpReply answer(const HttpRequest& request) const;

  Loop& loop_;
  std::function<std::string()> text_;
  UniqueFd listener_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace perch::peer
