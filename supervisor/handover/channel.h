// SPDX-License-Identifier: Apache-2.0
// Channel: perch's end of the socket pair to one generation of a native worker (SOCK_SEQPACKET, its
// number in PERCH_CHANNEL). The worker says HELLO=1 and gets its listeners by SCM_RIGHTS; from then
// on both speak sd_notify's vocabulary, one datagram a message. Messages that do not fit the socket
// wait in a bounded queue; a worker that never reads overflows it, which is the worker's failure.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/posix/notify_message.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::handover {

struct NamedFd {
  std::string name;
  int fd;  // borrowed
  bool operator==(const NamedFd&) const = default;
};

class Channel {
 public:
  using OnMessage = std::function<void(const NotifyMessage&)>;

  struct Ends;
  // `on_message` may destroy the channel. `offered` are lent until the hand-over, i.e. for as long
  // as the channel lives, or until replaced.
  static Result<Ends> open(Loop& loop, std::vector<NamedFd> offered, OnMessage on_message);

  // Reads everything that has arrived: before a deadline is believed, and before the worker is
  // reaped.
  void drain();
  // The worker's listeners are these from now on: those that are gone are retired (RETIRE=1), the
  // new ones handed over. A worker that has not greeted yet gets them when it does.
  Result<void> replace(std::vector<NamedFd> offered);
  // DRAIN=1 with the time that is left.
  Result<void> ask_to_drain(std::chrono::microseconds within);
  // HELLO=1 was heard: the worker speaks our language and can be asked to drain.
  [[nodiscard]] bool greeted() const noexcept { return greeted_; }

  Channel(UniqueFd socket, std::vector<NamedFd> offered, OnMessage on_message);

 private:
  // Waits for room, so it holds descriptors of its own.
  struct Outgoing {
    std::string payload;
    std::vector<UniqueFd> fds;
  };
  Result<void> start(Loop& loop);
  void on_ready(Readiness ready);
  // False when there is nothing more to read, or when the channel is gone.
  bool receive_one();
  void give_up(const Error& error);
  Result<void> hand_over(std::span<const NamedFd> listeners);
  Result<void> send(const NotifyMessage& message, std::span<const int> fds = {});
  Result<void> enqueue(const std::string& payload, std::span<const int> fds);
  void flush();

  UniqueFd socket_;
  std::vector<NamedFd> offered_;
  // Shared with a call that is under way, which may destroy the channel; expires with it.
  std::shared_ptr<const OnMessage> on_message_;
  std::optional<FdWatcher> watcher_;
  std::deque<Outgoing> queue_;
  bool greeted_ = false;
  bool closed_ = false;
};

struct Channel::Ends {
  std::unique_ptr<Channel> ours;
  UniqueFd workers;
};

}  // namespace perch::handover
