// SPDX-License-Identifier: Apache-2.0
// Peer: one connection to a keeper, and the proof of life that came with its HELLO: the reading end
// of a pipe whose other end its process alone holds. That hangs up when the process is gone, also
// where no pid of it can be seen, and it is the same one however often a perch connects.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/loop/fd_watcher.h"
#include "common/value/unique_fd.h"

namespace perch::keeper {

struct Peer {
  std::uint64_t number;
  ucred who;
  UniqueFd socket;
  UniqueFd life{};  // none before its HELLO
  std::optional<FdWatcher> watcher{};
  bool took_leave = false;
  bool introduced = false;  // the log has its name

  [[nodiscard]] bool is_same_process(const Peer& other) const;
  // A process that dies is waited for, this long at most.
  [[nodiscard]] bool lives(std::chrono::milliseconds patience) const;
  // For people. Another container's process has no number here.
  [[nodiscard]] std::string name() const;
};

}  // namespace perch::keeper
