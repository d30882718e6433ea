// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/server_pool.h"

#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <chrono>
#include <utility>

namespace perch::peer {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxCallers = 64;
// A URL, header fields and names; content is never sent to a peer.
constexpr int kMaxRequestSize = 64 << 10;
// For what gRPC itself has to end: health watchers.
constexpr milliseconds kShutdownGrace{200};
constexpr const char* kServiceName = "dfdaemon.v2.DfdaemonDownload";

std::unique_ptr<grpc::Server> make_server(DownloadService& service, const ServiceLimits& limits,
                                          const grpc::ResourceQuota& quota) {
  const auto idle = static_cast<int>(milliseconds(limits.idle_timeout).count());
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(kMaxRequestSize);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(limits.streams));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, idle);
  // Whoever has calls but answers no ping is gone, or was never there.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, idle);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return builder.BuildAndStart();
}

}  // namespace

struct ServerPool::Server {
  Server(const ServiceRoom& room, ServiceAllowances& allowances, const Caller& caller,
         const ServiceLimits& limits, const grpc::ResourceQuota& quota)
      : service(room, allowances, caller), grpc(make_server(service, limits, quota)) {}

  void set_serving(bool serving) const {
    auto* health = grpc->GetHealthCheckService();
    health->SetServingStatus(serving);
    health->SetServingStatus(kServiceName, serving);
  }

  DownloadService service;
  std::unique_ptr<grpc::Server> grpc;
};

ServerPool::ServerPool(Loop& loop, const ServiceLimits& limits, const ServiceRoom& room)
    : limits_(limits), room_(room), allowances_(limits), connections_(loop, limits.clients) {
  quota_.Resize(limits.queued_bytes);
  grpc::EnableDefaultHealthCheckService(true);
  // Never given back: the last reference waits for gRPC's own poller, which can take 10 s, and the
  // process ends anyway.
  grpc_init();
}

ServerPool::~ServerPool() = default;

void ServerPool::warm_up() { PERCH_CHECK(server_of(Caller::self()).has_value()); }

Result<void> ServerPool::serve(UniqueFd connection) {
  if (connections_.full()) {
    const std::string reason = fmt::format("too many clients: {} are connected", limits_.clients);
    turn_away(std::move(connection), reason);
    return fail(reason, ENFILE);
  }
  const auto caller = Caller::of(connection.get());
  if (!caller) return std::unexpected(caller.error());
  const auto server = server_of(*caller);
  if (!server) {
    turn_away(std::move(connection), server.error().text());
    return std::unexpected(server.error());
  }
  if (auto added = connections_.add(connection, *caller); !added) return added;
  grpc::AddInsecureChannelFromFd((*server)->grpc.get(), connection.release());
  return {};
}

Result<ServerPool::Server*> ServerPool::server_of(const Caller& caller) {
  if (const auto found = servers_.find(caller); found != servers_.end()) {
    return found->second.get();
  }
  if (servers_.size() >= kMaxCallers) forget_somebody_gone();
  if (servers_.size() >= kMaxCallers) {
    return fail(
        fmt::format("serve user {}: {} different users are connected", caller.uid, servers_.size()),
        ENFILE);
  }
  auto server = std::make_unique<Server>(room_, allowances_, caller, limits_, quota_);
  PERCH_CHECK(server->grpc != nullptr);
  server->set_serving(serving_);
  return servers_.emplace(caller, std::move(server)).first->second.get();
}

// Its server has nothing to wait for: a call that is still open would wait for the loop, which is
// here.
void ServerPool::forget_somebody_gone() {
  for (auto entry = servers_.begin(); entry != servers_.end(); ++entry) {
    if (connections_.any_of(entry->first) || !entry->second->service.close()) continue;
    entry->second->grpc->Shutdown(std::chrono::system_clock::now());
    servers_.erase(entry);
    return;
  }
}

void ServerPool::stop_serving() {
  serving_ = false;
  for (const auto& [caller, server] : servers_) server->set_serving(false);
}

void ServerPool::shut_down() {
  const auto deadline = std::chrono::system_clock::now() + kShutdownGrace;
  for (const auto& [caller, server] : servers_) server->grpc->Shutdown(deadline);
  servers_.clear();
}

}  // namespace perch::peer
