// SPDX-License-Identifier: Apache-2.0
// Habits: what a daemon does with its sockets, gathered from the calls it was seen making. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "supervisor/doctor/socket_call.h"

namespace perch::doctor {

// A listening socket, by the name that clients know.
struct SocketHabits {
  std::string path;
  int type = 0;  // 0: unknown
  bool listens = false;
  int backlog = 0;
  std::optional<mode_t> mode;    // its own chmod of the path
  bool probes = false;           // connects to the path before it binds it
  bool removes_before = false;   // deletes the path before it binds it
  bool renames = false;          // binds another name first, and renames that
  bool removes_at_stop = false;  // deletes the path when it ends
  bool shuts_down = false;       // shutdown(2) of the listening socket
};

struct TcpHabits {
  std::uint16_t port = 0;
  bool reuses_address = false;
};

struct Habits {
  std::vector<SocketHabits> sockets;  // in the order of their binds
  std::vector<TcpHabits> tcp;
};

Habits habits_of(std::span<const SocketCall> calls);

}  // namespace perch::doctor
