// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/server.h"

#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/control/routes.h"
#include "supervisor/listener/claim.h"

namespace perch::control {
namespace {

constexpr int kBacklog = 128;

Result<listener::Listener> claim_socket(const std::string& path) {
  return listener::claim_own({.path = path,
                              .mode = 0600,
                              .uid = {},
                              .gid = {},
                              .backlog = kBacklog,
                              .on_exit = config::OnExit::Unlink,
                              .peercred = config::PeerCredentials::Perch},
                             "control socket",
                             "choose another path with perch.control or --control");
}

Result<Credentials> credentials_of(int socket) {
  const auto peer = peer_credentials(socket);
  if (!peer) return std::unexpected(peer.error());
  auto groups = peer_groups(socket);
  if (!groups) return std::unexpected(std::move(groups.error()));
  return Credentials{.uid = peer->uid, .gid = peer->gid, .groups = std::move(*groups)};
}

// A group that perch may not give the socket to is let in with everybody; the rules decide.
Result<void> apply(SocketRights rights, listener::Listener& socket) {
  if (rights.group && !socket.set_owner({}, rights.group)) rights.mode = 0666;
  return socket.set_mode(rights.mode);
}

}  // namespace

struct ControlServer::State {
  State(listener::Listener taken, ControlTarget& asked, Access rules)
      : target(asked), access(std::move(rules)), listener(std::move(taken)) {}

  HttpConnection::Answer admit(int socket) const;

  ControlTarget& target;
  Access access;
  listener::Listener listener;
  std::unique_ptr<HttpServer> http;
};

// The rules may change while he stays.
HttpConnection::Answer ControlServer::State::admit(int socket) const {
  return [this, peer = credentials_of(socket)](const HttpRequest& request) {
    if (!peer) return refusal(403, "perch cannot tell who you are: " + peer.error().text());
    const Right right = right_of(*peer, access);
    if (right == Right::None) return refusal(403, why_refused(*peer, access));
    return answer(target, request, right);
  };
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(Loop& loop, const std::string& path,
                                                           ControlTarget& target, Access access,
                                                           const HttpLimits& limits) {
  auto listener = claim_socket(path);
  if (!listener) return std::unexpected(std::move(listener.error()));
  // Ours alone: no worker shares its description.
  if (auto set = set_blocking(listener->fd(), Blocking::No); !set) {
    return fail_within("control socket " + path, std::move(set.error()));
  }
  auto state = std::make_unique<State>(std::move(*listener), target, std::move(access));
  auto http = HttpServer::create(loop, state->listener.fd(), limits,
                                 [raw = state.get()](int socket) { return raw->admit(socket); });
  if (!http) return fail_within("control socket " + path, std::move(http.error()));
  state->http = std::move(*http);
  if (auto applied = apply(socket_rights(state->access), state->listener); !applied) {
    return fail_within("control socket " + path, std::move(applied.error()));
  }
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(state)));
}

Result<void> ControlServer::set_access(Access access) {
  if (access == state_->access) return {};
  state_->access = std::move(access);
  state_->http->end_streams();
  return apply(socket_rights(state_->access), state_->listener);
}

ControlServer::ControlServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
ControlServer::~ControlServer() = default;

}  // namespace perch::control
