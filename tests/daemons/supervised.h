// SPDX-License-Identifier: Apache-2.0
// A daemon under supervision and under clients: by perch, or by a loop that starts it anew. Both
// are killed in the same way; what the clients saw is the outcome.
#pragma once

#include <string>

#include "tests/daemons/daemon.h"
#include "tests/daemons/results.h"

namespace perch::test {

inline constexpr unsigned kKills = 30;
inline constexpr unsigned kKillsAlone = 10;

enum class Home { Host, Container };

// Killed, restarted, reloaded, stopped; fails the test where a client was turned away. In a
// container perch is PID 1.
Outcome with_perch(const Daemon& daemon, Home home = Home::Host);

// Started, killed, its socket removed, started. Whoever does without a supervisor that holds the
// socket does at best this.
Outcome alone(const Daemon& daemon);

// A reply that begins as the daemon's do.
bool answers(const Daemon& daemon, const std::string& path);

// 4 clients that connect without pause, and are waited for.
class Clients {
 public:
  Clients(const Daemon& daemon, const std::string& path)
      : storm_({.path = path, .request = daemon.request, .answer = daemon.answer}) {}
  // They are served, from now on.
  void must_be_served() const;
  StormCounts stop() { return storm_.stop(); }

 private:
  ClientStorm storm_;
};

// Nobody was turned away, and the socket file was one and the same.
void check_nobody_was_refused(const StormCounts& counts);

}  // namespace perch::test
