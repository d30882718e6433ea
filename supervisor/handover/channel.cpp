// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"

namespace perch::handover {
namespace {

constexpr std::size_t kMaxQueued = 64;
constexpr int kMessagesPerTurn = 64;
// Children of the worker that send without pause must not keep a drain from its end.
constexpr int kMessagesPerDrain = 4096;

}  // namespace

Channel::Channel(UniqueFd socket, std::vector<NamedFd> offered, OnMessage on_message)
    : socket_(std::move(socket)),
      offered_(std::move(offered)),
      on_message_(std::make_shared<const OnMessage>(std::move(on_message))) {}

Result<Channel::Ends> Channel::open(Loop& loop, std::vector<NamedFd> offered,
                                    OnMessage on_message) {
  auto pair = seqpacket_pair();
  if (!pair) return fail_within("channel", std::move(pair.error()));
  auto ours =
      std::make_unique<Channel>(std::move(pair->first), std::move(offered), std::move(on_message));
  if (auto started = ours->start(loop); !started) {
    return fail_within("channel", std::move(started.error()));
  }
  return Ends{std::move(ours), std::move(pair->second)};
}

Result<void> Channel::start(Loop& loop) {
  auto watcher = FdWatcher::create(loop, socket_.get(), [this](Readiness r) { on_ready(r); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  watcher_ = std::move(*watcher);
  watcher_->watch({.readable = true});
  return {};
}

// Bounded: a worker that talks without pause must not keep perch from its other work. What is left
// makes the loop call again.
void Channel::on_ready(Readiness ready) {
  const std::weak_ptr alive = on_message_;
  if (ready.writable) flush();
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    if (!receive_one() || alive.expired()) return;
  }
}

void Channel::drain() {
  const std::weak_ptr alive = on_message_;
  for (int i = 0; i < kMessagesPerDrain && receive_one() && !alive.expired(); ++i) continue;
}

bool Channel::receive_one() {
  if (closed_) return false;
  const auto datagram = receive_datagram(socket_.get());
  if (!datagram) {
    if (datagram.error() == ReceiveEnd::Truncated) return true;
    if (datagram.error() == ReceiveEnd::WouldBlock) return false;
    closed_ = true;
    watcher_->stop();
    return false;
  }
  const std::shared_ptr on_message = on_message_;
  const NotifyMessage message = NotifyMessage::parse(datagram->payload);
  if (message.says("HELLO", "1") && !std::exchange(greeted_, true)) {
    if (const auto handed = hand_over(offered_); !handed) give_up(handed.error());
  }
  (*on_message)(message);
  return on_message.use_count() > 1;
}

// A worker without its listeners must not seem to serve: it sees that the channel ends, and its
// death will say why.
void Channel::give_up(const Error& error) {
  closed_ = true;
  watcher_->stop();
  ::shutdown(socket_.get(), SHUT_RDWR);
  const std::shared_ptr on_message = on_message_;
  (*on_message)({{"STATUS", error.text()}, {"ERRNO", std::to_string(error.code().value())}});
}

// In portions, since one message carries at most kMaxPassedFds descriptors.
Result<void> Channel::hand_over(std::span<const NamedFd> listeners) {
  while (!listeners.empty()) {
    const auto portion = listeners.first(std::min(listeners.size(), kMaxPassedFds));
    std::vector<std::string> names;
    std::vector<int> fds;
    for (const NamedFd& listener : portion) {
      names.push_back(listener.name);
      fds.push_back(listener.fd);
    }
    const NotifyMessage message{{"LISTEN_FDS", std::to_string(names.size())},
                                {"LISTEN_FDNAMES", join_names(names)}};
    if (auto sent = send(message, fds); !sent) return sent;
    listeners = listeners.subspan(portion.size());
  }
  return {};
}

// Retired first: a listener at a new path comes under the name of the old one.
Result<void> Channel::replace(std::vector<NamedFd> offered) {
  const std::vector<NamedFd> before = std::exchange(offered_, std::move(offered));
  if (!greeted_) return {};
  const auto is_in = [](const std::vector<NamedFd>& listeners) {
    return [&](const NamedFd& one) { return std::ranges::find(listeners, one) != listeners.end(); };
  };
  for (const NamedFd& gone : before) {
    if (is_in(offered_)(gone)) continue;
    if (auto sent = send({{"RETIRE", "1"}, {"FDNAME", gone.name}}); !sent) return sent;
  }
  std::vector<NamedFd> added = offered_;
  std::erase_if(added, is_in(before));
  return hand_over(added);
}

Result<void> Channel::ask_to_drain(std::chrono::microseconds within) {
  return send({{"DRAIN", "1"}, {"DEADLINE_USEC", std::to_string(within.count())}});
}

Result<void> Channel::send(const NotifyMessage& message, std::span<const int> fds) {
  if (closed_) return fail("channel", EPIPE);
  const std::string payload = message.text();
  if (!queue_.empty()) return enqueue(payload, fds);
  auto sent = send_datagram(socket_.get(), payload, fds);
  if (!sent && sent.error().is(EAGAIN)) return enqueue(payload, fds);
  // A worker that is gone is noticed elsewhere.
  const bool gone = !sent && (sent.error().is(EPIPE) || sent.error().is(ECONNRESET));
  if (!sent && !gone) return fail_within("channel", std::move(sent.error()));
  return {};
}

Result<void> Channel::enqueue(const std::string& payload, std::span<const int> fds) {
  if (queue_.size() >= kMaxQueued) return fail("channel: the worker does not read", ENOBUFS);
  Outgoing message{payload, {}};
  for (const int fd : fds) {
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy) return fail("channel: duplicate a listener");
    message.fds.push_back(std::move(copy));
  }
  queue_.push_back(std::move(message));
  watcher_->watch({.readable = true, .writable = true});
  return {};
}

void Channel::flush() {
  while (!queue_.empty()) {
    std::vector<int> fds;
    for (const UniqueFd& fd : queue_.front().fds) fds.push_back(fd.get());
    const auto sent = send_datagram(socket_.get(), queue_.front().payload, fds);
    if (!sent && sent.error().is(EAGAIN)) break;
    if (!sent) queue_.clear();  // the other end is gone
    if (sent) queue_.pop_front();
  }
  if (!closed_) watcher_->watch({.readable = true, .writable = !queue_.empty()});
}

}  // namespace perch::handover
