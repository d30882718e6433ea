// SPDX-License-Identifier: Apache-2.0
// InheritedOutput: writes to a descriptor perch was started with, never waiting for a reader. The
// descriptor is borrowed and its flags are never touched: its open file description is shared with
// the workers and with whoever started perch, and one that sets O_NONBLOCK flips it for all.
//   regular file    plain write(2): it waits for no reader
//   pipe, terminal  a description of our own, through /proc/self/fd; else RWF_NOWAIT
//   socket          send(2) with MSG_DONTWAIT
#pragma once

#include <sys/types.h>

#include <string_view>

#include "common/value/unique_fd.h"

namespace perch {

class InheritedOutput {
 public:
  explicit InheritedOutput(int fd);

  // As write(2): part of `text` may be taken; EAGAIN where a plain write would wait, EBADF where
  // the descriptor is closed. No SIGPIPE from sockets; pipes raise it unless it is ignored.
  ssize_t write_some(std::string_view text);
  // What tells by EPOLLOUT that more can be written; -1 where the descriptor was closed, since its
  // number may be another's by now. Add it to an epoll of your own: a watcher that sets O_NONBLOCK
  // would set it for everybody.
  [[nodiscard]] int pollable() const noexcept;

 private:
  enum class Way { Closed, Plain, OwnDescription, Socket, NoWait, AfterPoll };
  static Way way_for(int fd, UniqueFd& own);
  ssize_t write_no_wait(std::string_view text);
  [[nodiscard]] ssize_t write_after_poll(std::string_view text) const;

  int fd_;
  UniqueFd own_;
  Way way_;
};

}  // namespace perch
