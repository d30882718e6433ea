// SPDX-License-Identifier: Apache-2.0
#include "common/http/http_server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace perch {
namespace {

using std::chrono::milliseconds;

constexpr int kAcceptsPerTurn = 16;
// Without descriptors the waiting client stays readable: polling on would spin.
constexpr milliseconds kPause{1'000};

// A word before the door shuts, if the client takes it at once.
void turn_away(int socket, const HttpReply& reply) {
  const auto bytes = to_bytes(reply, {});
  (void)::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Could so many more be opened? Only the attempt tells: they have no order and no count.
bool descriptors_are_free(int any, std::size_t wanted) {
  std::vector<UniqueFd> opened;
  while (opened.size() < wanted) {
    opened.emplace_back(::fcntl(any, F_DUPFD_CLOEXEC, 0));
    if (!opened.back()) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::create(Loop& loop, int listener,
                                                       const HttpLimits& limits, Admit admit) {
  std::unique_ptr<HttpServer> server(new HttpServer(loop, listener, limits, std::move(admit)));
  auto watcher =
      FdWatcher::create(loop, listener, [raw = server.get()](Readiness) { raw->accept_some(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  server->watcher_ = std::move(*watcher);
  server->listen();
  return server;
}

HttpServer::HttpServer(Loop& loop, int listener, const HttpLimits& limits, Admit admit)
    : loop_(loop),
      listener_(listener),
      limits_(limits),
      admit_(std::move(admit)),
      resume_(loop, [this](milliseconds) { listen(); }) {}

void HttpServer::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd socket(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return on_accept_failed(errno);
    welcome(std::move(socket));
  }
}

void HttpServer::on_accept_failed(int number) {
  if (number == EAGAIN || number == EINTR || number == ECONNABORTED) return;
  watcher_->stop();
  resume_.arm(kPause);
}

void HttpServer::welcome(UniqueFd socket) {
  while (!has_room(socket.get())) {
    if (!make_room()) {
      return turn_away(socket.get(), refusal(503, "too many connections, too few descriptors"));
    }
  }
  auto answer = admit_(socket.get());
  const auto place = connections_.emplace(connections_.end());
  auto connection =
      HttpConnection::create(loop_, std::move(socket), limits_.time, std::move(answer),
                             [this, place] { connections_.erase(place); });
  // Out of memory in the kernel: this client is lost, the next may do better.
  if (!connection) {
    connections_.erase(place);
  } else {
    *place = std::move(*connection);
  }
}

bool HttpServer::has_room(int socket) const {
  return connections_.size() < limits_.connections &&
         descriptors_are_free(socket, limits_.spare_descriptors);
}

// First whoever is owed nothing, then who does not take what he asked for, at last who follows: he
// can come back for what he missed.
bool HttpServer::make_room() {
  if (connections_.empty()) return false;
  auto leaver = std::ranges::find_if(connections_,
                                     [](const auto& connection) { return connection->waits(); });
  if (leaver != connections_.end()) {
    turn_away((*leaver)->fd(), refusal(503, "too many connections; this one waited longest"));
  } else {
    leaver = std::ranges::find_if_not(connections_,
                                      [](const auto& connection) { return connection->streams(); });
  }
  connections_.erase(leaver == connections_.end() ? connections_.begin() : leaver);
  return true;
}

void HttpServer::end_streams() {
  std::erase_if(connections_, [](const auto& connection) { return connection->streams(); });
}

}  // namespace perch
