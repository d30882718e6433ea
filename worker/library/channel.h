// SPDX-License-Identifier: Apache-2.0
// Channel: a native worker's line to perch. It brings the listeners, carries the worker's news, and
// says when to drain. It owns no loop and no thread: poll fd() for reading with the loop you have,
// then pull events until there is none. Nothing here blocks.
// One datagram a message over SOCK_SEQPACKET, in sd_notify(3)'s KEY=VALUE lines; descriptors come
// by SCM_RIGHTS. worker/library/perch_worker.h is the same for C and for other languages.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/posix/fd_passing.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::worker {

// The environment variable that holds the channel's descriptor number.
inline constexpr const char* kChannelVariable = "PERCH_CHANNEL";

// A listening socket to accept from, non-blocking and close-on-exec. Poll it and accept until
// EAGAIN: a worker that blocks in accept() swallows a fresh connection when it dies.
struct ListenerArrived {
  std::string name;
  UniqueFd socket;
};
// Nobody new can connect to the listener of this name: accept until EAGAIN once more, for those who
// wait, and close it. Another one of the same name may follow.
struct ListenerRetired {
  std::string name;
};
// Stop accepting, finish what can be finished within this time, exit.
struct DrainRequested {
  std::optional<std::chrono::microseconds> deadline;
};
// The channel is closed: no perch answers any more. Comes once, and is the last event.
struct SupervisorGone {};

using Event = std::variant<ListenerArrived, ListenerRetired, DrainRequested, SupervisorGone>;

class Channel {
 public:
  // The channel of PERCH_CHANNEL, which is then taken out of the environment so that no child
  // believes in it. An error without a code when the variable is not set: not started by perch.
  static Result<Channel> from_environment();
  // Says hello on an open SOCK_SEQPACKET socket; ENOTSOCK or EPROTOTYPE for anything else.
  static Result<Channel> open(UniqueFd socket);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  // The next event, or nothing until fd() is readable again. An error names a message that made no
  // sense and was dropped; the channel goes on.
  Result<std::optional<Event>> next_event();

  // The worker's own loop polls its listeners: clients are served from now on.
  Result<void> ready();
  Result<void> status(std::string_view text);
  Result<void> stopping();
  Result<void> watchdog();
  // The deadline perch waits for (start, stop) moves to this long from now.
  Result<void> extend_timeout(std::chrono::microseconds from_now);

 private:
  explicit Channel(UniqueFd socket) noexcept : socket_(std::move(socket)) {}
  Result<void> say(std::string_view key, std::string_view value);
  Result<void> read(Datagram datagram);
  Result<void> take_listeners(std::string_view count, std::string_view names,
                              std::vector<UniqueFd> sockets);

  UniqueFd socket_;
  std::deque<Event> pending_;
  bool gone_ = false;
};

}  // namespace perch::worker
