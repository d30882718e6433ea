// SPDX-License-Identifier: Apache-2.0
// SocketCall: one thing that a command was seen doing with a socket or with its name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace perch::doctor {

struct SocketCall {
  enum class Kind { Bind, Listen, Shutdown, Connect, Unlink, Rename, Chmod };
  Kind kind = Kind::Bind;
  pid_t pid = 0;
  // Absolute; "@name" is an abstract one. Of Listen and Shutdown: that of the socket. Empty: none,
  // or not a Unix socket's.
  std::string path{};
  std::string new_path{};                   // of Rename
  int type = 0;                             // of Bind: SOCK_STREAM, ...; 0: unknown
  int backlog = 0;                          // of Listen
  mode_t mode = 0;                          // of Chmod
  std::optional<std::uint16_t> tcp_port{};  // of Bind: of a TCP socket, which has no path
  bool reuse_address = false;               // SO_REUSEADDR was set on it
  bool while_stopping = false;              // after it was asked to stop
};

}  // namespace perch::doctor
