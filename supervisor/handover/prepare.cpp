// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/prepare.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>

#include "common/posix/unix_socket.h"
#include "supervisor/config/blocking.h"

namespace perch::handover {
namespace {

void prepare_listen_fds(std::span<const NamedFd> listeners, process::SpawnRequest& request) {
  std::vector<std::string> names;
  for (const NamedFd& listener : listeners) {
    request.fds.push_back(listener.fd);
    names.push_back(listener.name);
  }
  request.environment.push_back("LISTEN_FDS=" + std::to_string(names.size()));
  request.environment.push_back("LISTEN_FDNAMES=" + join_names(names));
  request.listen_pid = true;
}

void prepare_channel(int channel, process::SpawnRequest& request) {
  request.environment.push_back("PERCH_CHANNEL=" + std::to_string(request.fds.size()));
  request.fds.push_back(channel);
}

}  // namespace

Result<void> restore_description(int listener, config::HandoverWay way) {
  const timeval never{};
  const int no = 0;
  if (auto set = set_blocking(listener, config::blocking_of(way)); !set) return set;
  if (::setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never) != 0 ||
      ::setsockopt(listener, SOL_SOCKET, SO_PASSCRED, &no, sizeof no) != 0) {
    return fail("reset the listener's options");
  }
  return {};
}

void prepare(config::HandoverWay way, std::span<const NamedFd> listeners, int channel,
             process::SpawnRequest& request) {
  switch (way) {
    case config::HandoverWay::Channel:
      return prepare_channel(channel, request);
    case config::HandoverWay::Intercept:
      return;  // it gets them as it binds
    case config::HandoverWay::ListenFds:
      return prepare_listen_fds(listeners, request);
    case config::HandoverWay::Stdin:
      if (!listeners.empty()) request.fds.front() = listeners.front().fd;
      return;
  }
}

bool is_handover_variable(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kNames{
      "LISTEN_FDS",    "LISTEN_FDNAMES",   "LISTEN_PID",   "LISTEN_PIDFDID",  "NOTIFY_SOCKET",
      "PERCH_CHANNEL", "PERCH_GENERATION", "PERCH_WORKER", "PERCH_LAST_CAUSE"};
  return std::ranges::find(kNames, name) != kNames.end() || name == "WATCHDOG_PID" ||
         name == "WATCHDOG_USEC";
}

}  // namespace perch::handover
