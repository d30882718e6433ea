// SPDX-License-Identifier: Apache-2.0
// ServerPool: takes accepted connections and serves gRPC on them: grpc.health.v1 and dfdaemon.v2.
// One grpc::Server for each caller (user and groups): that is what ties a call to the rights of
// whoever makes it. gRPC would give a call only the number of its descriptor, and such a number
// may be another caller's by the time the call is read.
#pragma once

#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>

#include <map>
#include <memory>

#include "worker/peer/service/connections.h"
#include "worker/peer/service/download_service.h"
#include "worker/peer/service/service_limits.h"

namespace perch::peer {

class ServerPool {
 public:
  // What it works with outlives it.
  ServerPool(Loop& loop, const ServiceLimits& limits, const ServiceRoom& room);
  ~ServerPool();
  ServerPool(const ServerPool&) = delete;
  ServerPool& operator=(const ServerPool&) = delete;

  // Makes the server of our own user, which costs some milliseconds, ahead of its first client.
  void warm_up();
  // ENFILE when there are too many clients, or too many different ones; the connection was told so.
  Result<void> serve(UniqueFd connection);
  [[nodiscard]] std::size_t clients() const noexcept { return connections_.count(); }
  // Health checks say NOT_SERVING from now on.
  void stop_serving();
  // After the last call has ended and the mailbox is closed. Blocks until gRPC's threads are done.
  void shut_down();

 private:
  struct Server;
  Result<Server*> server_of(const Caller& caller);
  void forget_somebody_gone();

  ServiceLimits limits_;
  ServiceRoom room_;
  ServiceAllowances allowances_;
  Connections connections_;
  grpc::ResourceQuota quota_;
  bool serving_ = true;
  std::map<Caller, std::unique_ptr<Server>> servers_;
};

}  // namespace perch::peer
