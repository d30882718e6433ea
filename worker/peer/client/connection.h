// SPDX-License-Identifier: Apache-2.0
// The client's line to a peer: a channel that connects again by itself, and the patience of a
// command with it.
#pragma once

#include <dfdaemon.grpc.pb.h>
#include <grpcpp/channel.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "worker/peer/client/exit_code.h"

namespace perch::peer {

using Clock = std::chrono::system_clock;  // gRPC's deadlines are of this clock

struct PeerAddress {
  std::string socket;
  std::chrono::seconds::rep timeout_seconds = 10;

  [[nodiscard]] Clock::time_point deadline() const {
    return Clock::now() + std::chrono::seconds(timeout_seconds);
  }
};

// A path, or "@name" for an abstract socket.
std::shared_ptr<grpc::Channel> channel_to(const std::string& socket);

// Where we may not connect, which no waiting changes: what to say. Else nothing.
std::optional<Ending> barred_from(const std::string& socket);

// In [0, 1).
double chance();

// "not done in 10 s: why"; `trouble` is what the last call came to, empty where none ended.
Ending timed_out(const PeerAddress& address, grpc::Channel& channel, const std::string& trouble);

// Short calls, one after another: each is made again while that makes sense and there is time.
class Connection {
 public:
  explicit Connection(const PeerAddress& address);

  using Stub = dfdaemon::v2::DfdaemonDownload::Stub;
  using Call = std::function<grpc::Status(Stub&, grpc::ClientContext&)>;
  // NOT_FOUND is NoSuchTask: these calls are about tasks.
  Ending make(const Call& call);
  // The time that the address gives counts from now on.
  void begin_anew() { deadline_ = address_.deadline(); }

 private:
  PeerAddress address_;
  Clock::time_point deadline_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace perch::peer
