// SPDX-License-Identifier: Apache-2.0
// HttpPort: the few requests that are answered over TCP, for probes and a scraper: livez, readyz
// and metrics. TCP says nothing of who asks, so whoever reaches the port may; there is no more to
// see or to do.
#pragma once

#include <memory>
#include <string>

#include "common/http/http_server.h"
#include "common/loop/loop.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/config/tcp_address.h"
#include "supervisor/control/server.h"

namespace perch::control {

class HttpPort {
 public:
  static Result<std::unique_ptr<HttpPort>> open(Loop& loop, const config::TcpAddress& address,
                                                ControlTarget& target,
                                                const HttpLimits& limits = {});

  // Where it listens really: with the port that port 0 has become.
  [[nodiscard]] const config::TcpAddress& address() const noexcept { return address_; }

 private:
  HttpPort(UniqueFd listener, config::TcpAddress address)
      : listener_(std::move(listener)), address_(std::move(address)) {}

  UniqueFd listener_;
  config::TcpAddress address_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace perch::control
