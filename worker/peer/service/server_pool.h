// SPDX-License-Identifier: Apache-2.0
// ServerPool: takes accepted connections and serves gRPC on them: grpc.health.v1 and dfdaemon.v2.
// One grpc::Server for each caller (user and groups): that is what ties a call to the rights of
// whoever makes it. gRPC would give a call only the number of its descriptor, and such a number
// may be another caller's by the time the call is read.
#pragma once

#include <grpcpp/server.h>

#include <map>
#include <memory>

#include "common/value/unique_fd.h"
#include "worker/peer/service/download_service.h"

namespace perch::peer {

class ServerPool {
 public:
  ServerPool(Mailbox& mailbox, Calls& calls);
  ~ServerPool();
  ServerPool(const ServerPool&) = delete;
  ServerPool& operator=(const ServerPool&) = delete;

  // Makes the server of our own user, which costs some milliseconds, ahead of its first client.
  void warm_up();
  // ENFILE when there are too many different callers; the connection is closed then.
  Result<void> serve(UniqueFd connection);
  // Health checks say NOT_SERVING from now on.
  void stop_serving();
  // After the last call has ended and the mailbox is closed. Blocks until gRPC's threads are done.
  void shut_down();

 private:
  struct Room;
  Result<Room*> room_of(const Caller& caller);

  Mailbox& mailbox_;
  Calls& calls_;
  bool serving_ = true;
  std::map<Caller, std::unique_ptr<Room>> rooms_;
};

}  // namespace perch::peer
