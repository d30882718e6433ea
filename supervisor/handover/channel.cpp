// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/channel.h"

#include <algorithm>

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
  if (message.says("HELLO", "1")) hand_over();
  (*on_message)(message);
  return on_message.use_count() > 1;
}

// In portions, since one message carries at most kMaxPassedFds descriptors.
void Channel::hand_over() {
  if (greeted_) return;
  greeted_ = true;
  for (std::size_t start = 0; start < offered_.size(); start += kMaxPassedFds) {
    Outgoing message;
    std::vector<std::string> names;
    const std::size_t end = std::min(offered_.size(), start + kMaxPassedFds);
    for (std::size_t i = start; i < end; ++i) {
      names.push_back(offered_[i].name);
      message.fds.push_back(offered_[i].fd);
    }
    message.payload = NotifyMessage{{"LISTEN_FDS", std::to_string(names.size())},
                                    {"LISTEN_FDNAMES", join_names(names)}}
                          .text();
    // A worker that is already gone needs none; its death is noticed elsewhere.
    if (!send(std::move(message))) return;
  }
}

Result<void> Channel::ask_to_drain(std::chrono::microseconds within) {
  return send(
      {NotifyMessage{{"DRAIN", "1"}, {"DEADLINE_USEC", std::to_string(within.count())}}.text(),
       {}});
}

Result<void> Channel::send(Outgoing message) {
  if (closed_) return fail("channel", EPIPE);
  if (queue_.size() >= kMaxQueued) return fail("channel: the worker does not read", ENOBUFS);
  queue_.push_back(std::move(message));
  flush();
  return {};
}

void Channel::flush() {
  while (!queue_.empty()) {
    const auto sent = send_datagram(socket_.get(), queue_.front().payload, queue_.front().fds);
    if (!sent && sent.error().is(EAGAIN)) break;
    if (!sent) queue_.clear();  // the other end is gone
    if (sent) queue_.pop_front();
  }
  if (!closed_) watcher_->watch({.readable = true, .writable = !queue_.empty()});
}

}  // namespace perch::handover
