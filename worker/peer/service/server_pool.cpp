// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/server_pool.h"

#include <grpc/grpc.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <chrono>
#include <utility>

namespace perch::peer {
namespace {

constexpr std::size_t kMaxCallers = 64;
constexpr int kMaxStreamsOfConnection = 64;
constexpr int kMaxRequestSize = 1 << 20;
// For what gRPC itself has to end: health watchers.
constexpr std::chrono::milliseconds kShutdownGrace{200};
constexpr const char* kServiceName = "dfdaemon.v2.DfdaemonDownload";

std::unique_ptr<grpc::Server> make_server(DownloadService& service) {
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(kMaxRequestSize);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsOfConnection);
  return builder.BuildAndStart();
}

}  // namespace

struct ServerPool::Room {
  Room(Mailbox& mailbox, Calls& calls, const Caller& caller)
      : service(mailbox, calls, caller), server(make_server(service)) {}

  void set_serving(bool serving) const {
    auto* health = server->GetHealthCheckService();
    health->SetServingStatus(serving);
    health->SetServingStatus(kServiceName, serving);
  }

  DownloadService service;
  std::unique_ptr<grpc::Server> server;
};

ServerPool::ServerPool(Mailbox& mailbox, Calls& calls) : mailbox_(mailbox), calls_(calls) {
  grpc::EnableDefaultHealthCheckService(true);
  // Never given back: the last reference waits for gRPC's own poller, which can take 10 s, and the
  // process ends anyway.
  grpc_init();
}

ServerPool::~ServerPool() = default;

void ServerPool::warm_up() { PERCH_CHECK(room_of(Caller::self()).has_value()); }

Result<void> ServerPool::serve(UniqueFd connection) {
  const auto caller = Caller::of(connection.get());
  if (!caller) return std::unexpected(caller.error());
  const auto room = room_of(*caller);
  if (!room) return std::unexpected(room.error());
  grpc::AddInsecureChannelFromFd((*room)->server.get(), connection.release());
  return {};
}

Result<ServerPool::Room*> ServerPool::room_of(const Caller& caller) {
  if (const auto found = rooms_.find(caller); found != rooms_.end()) return found->second.get();
  if (rooms_.size() >= kMaxCallers) {
    return fail("serve user " + std::to_string(caller.uid) + ": too many different callers",
                ENFILE);
  }
  auto room = std::make_unique<Room>(mailbox_, calls_, caller);
  PERCH_CHECK(room->server != nullptr);
  room->set_serving(serving_);
  return rooms_.emplace(caller, std::move(room)).first->second.get();
}

void ServerPool::stop_serving() {
  serving_ = false;
  for (const auto& [caller, room] : rooms_) room->set_serving(false);
}

void ServerPool::shut_down() {
  const auto deadline = std::chrono::system_clock::now() + kShutdownGrace;
  for (const auto& [caller, room] : rooms_) room->server->Shutdown(deadline);
  rooms_.clear();
}

}  // namespace perch::peer
