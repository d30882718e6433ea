// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/peer.h"

#include <poll.h>

#include "supervisor/listener/pinned_file.h"

namespace perch::keeper {

bool Peer::is_same_process(const Peer& other) const {
  const auto ours = listener::file_id(life.get());
  return ours && ours == listener::file_id(other.life.get());
}

// A pipe that nobody writes to is readable in no other way.
bool Peer::lives(std::chrono::milliseconds patience) const {
  pollfd pipe{.fd = life.get(), .events = POLLIN, .revents = 0};
  return life && ::poll(&pipe, 1, static_cast<int>(patience.count())) == 0;
}

std::string Peer::name() const {
  const std::string place = who.pid > 0 ? "pid " + std::to_string(who.pid) : "in another container";
  return "perch (" + place + ", uid " + std::to_string(who.uid) + ")";
}

}  // namespace perch::keeper
