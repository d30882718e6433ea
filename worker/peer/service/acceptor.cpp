// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/acceptor.h"

#include <sys/socket.h>

#include <chrono>
#include <utility>

namespace perch::peer {
namespace {

constexpr int kAcceptsATurn = 64;
constexpr std::chrono::milliseconds kRest{100};

}  // namespace

Acceptor::Acceptor(Loop& loop, UniqueFd listener, OnConnection on_connection, OnTrouble on_trouble)
    : listener_(std::move(listener)),
      on_connection_(std::move(on_connection)),
      on_trouble_(std::move(on_trouble)),
      rest_(loop, [this](auto) { watcher_->watch({.readable = true}); }) {}

Result<std::unique_ptr<Acceptor>> Acceptor::start(Loop& loop, UniqueFd listener,
                                                  OnConnection on_connection,
                                                  OnTrouble on_trouble) {
  std::unique_ptr<Acceptor> acceptor(
      new Acceptor(loop, std::move(listener), std::move(on_connection), std::move(on_trouble)));
  auto watcher = FdWatcher::create(loop, acceptor->listener_.get(),
                                   [raw = acceptor.get()](Readiness) { raw->accept_some(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  acceptor->watcher_.emplace(std::move(*watcher));
  acceptor->watcher_->watch({.readable = true});
  return acceptor;
}

void Acceptor::accept_queued() {
  while (accept_some() == Queue::More) continue;
}

Acceptor::Queue Acceptor::accept_some() {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
      on_connection_(std::move(connection));
    } else if (errno == EAGAIN) {
      return Queue::Empty;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      // No descriptors or no memory: the clients wait in the backlog, the loop must not spin.
      const Error error = Error::from_errno(errno, "accept");
      watcher_->stop();
      rest_.arm(kRest);
      on_trouble_(error);
      return Queue::Empty;
    }
  }
  return Queue::More;
}

}  // namespace perch::peer
