// SPDX-License-Identifier: Apache-2.0
#include "supervisor/doctor/advice.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/posix/unix_socket.h"
#include "supervisor/config/names.h"

namespace perch::doctor {
namespace {

std::string_view type_name(int type) {
  switch (type) {
    case SOCK_STREAM:
      return "stream";
    case SOCK_DGRAM:
      return "datagram";
    case SOCK_SEQPACKET:
      return "seqpacket";
    default:
      return "unknown type";
  }
}

bool can_be_owned(const SocketHabits& socket) {
  return socket.listens && socket.type == SOCK_STREAM;
}

// What a death by SIGKILL, which removes nothing, does to the next start.
std::string after_a_kill(const SocketHabits& socket) {
  if (socket.renames) return "after a kill the next one renames its socket over it: a new inode";
  if (socket.removes_before) {
    return "after a kill the next one deletes it first: clients are refused until then, and find "
           "nothing at the path for a moment";
  }
  if (socket.probes) return "after a kill the next one finds nobody there and goes on";
  return "after a kill the next one fails with \"Address already in use\"";
}

void describe_socket(const SocketHabits& socket, std::vector<std::string>& findings) {
  std::string line = fmt::format("{}: {} socket", socket.path, type_name(socket.type));
  if (socket.listens) line += fmt::format(", backlog {}", socket.backlog);
  if (socket.mode) line += fmt::format(", mode {:04o}", *socket.mode);
  findings.push_back(line);
  const auto tell = [&](std::string_view text) { findings.push_back(fmt::format("  {}", text)); };
  if (!socket.listens && socket.type == SOCK_STREAM && !socket.renames) {
    tell("was bound, and not listened on while perch looked");
  }
  if (socket.type == SOCK_STREAM && !is_abstract(socket.path)) tell(after_a_kill(socket));
  if (socket.probes) tell("it connects to the path first, and does not start if somebody answers");
  if (socket.removes_at_stop) tell("it deletes the path when it is stopped");
  if (socket.shuts_down) tell("it shuts the listening socket down, which ends it for everybody");
  if (!can_be_owned(socket) && socket.type != SOCK_STREAM && socket.type != 0) {
    tell("perch owns stream sockets only; this one stays the daemon's");
  }
}

std::string name_of(const std::string& path, const config::Config& config) {
  const std::string name = config::name_of_listener(path);
  std::string unique = name;
  for (int n = 2; config.listeners.contains(unique); ++n) unique = fmt::format("{}-{}", name, n);
  return unique;
}

void add_listeners(const Habits& habits, config::Config& config, config::WorkerConfig& worker) {
  for (const SocketHabits& socket : habits.sockets) {
    if (!can_be_owned(socket)) continue;
    const std::string name = name_of(socket.path, config);
    config.listeners[name].path = socket.path;
    worker.listeners.push_back(name);
    worker.probe_guard |= socket.probes;
  }
}

void explain(const Habits& habits, const Patient& patient, const config::WorkerConfig& worker,
             std::vector<std::string>& reasons) {
  reasons.emplace_back(
      "handover = \"intercept\": it binds its socket itself, and gets perch's in its place");
  if (patient.knows_listen_fds) {
    reasons.emplace_back(
        "its program mentions LISTEN_FDS: if it can be told to take its socket that way, "
        "handover = \"listen-fds\" needs no privilege; `perch run --handover listen-fds` tries it");
  }
  if (!worker.capabilities.empty()) {
    reasons.emplace_back(
        "capabilities = [\"all\"]: as it was run here; a daemon that changes user or owners needs "
        "some, another needs none: take the line out and see");
  }
  if (worker.probe_guard) {
    reasons.emplace_back("probe_guard = true: its look for a live owner would find perch");
  }
  const bool modes =
      std::ranges::any_of(habits.sockets, [](auto& s) { return s.mode.has_value(); });
  if (modes) reasons.emplace_back("mode is left unset: its own chmod of the socket is adopted");
  if (worker.tcp_reuse_address) {
    reasons.emplace_back(
        "tcp_reuse_address = true: it binds a TCP port without SO_REUSEADDR, and could not again "
        "for a minute after a kill");
  }
}

}  // namespace

Advice advise(const Habits& habits, const Patient& patient) {
  Advice advice;
  for (const SocketHabits& socket : habits.sockets) describe_socket(socket, advice.findings);
  for (const TcpHabits& tcp : habits.tcp) {
    advice.findings.push_back(fmt::format("TCP port {}: {} SO_REUSEADDR", tcp.port,
                                          tcp.reuses_address ? "with" : "without"));
  }
  if (std::ranges::none_of(habits.sockets, can_be_owned)) return advice;
  config::Config config;
  config::WorkerConfig worker;
  worker.command = patient.command;
  worker.handover = config::HandoverWay::Intercept;
  worker.readiness.by = config::ReadinessBy::Bound;
  worker.probe_guard = false;
  if (patient.had_capabilities) worker.capabilities = {"all"};
  worker.tcp_reuse_address =
      std::ranges::any_of(habits.tcp, [](const TcpHabits& tcp) { return !tcp.reuses_address; });
  add_listeners(habits, config, worker);
  explain(habits, patient, worker, advice.reasons);
  const std::string name =
      config::made_name(config::basename_of(patient.command.front()), "worker");
  config.workers[name] = std::move(worker);
  advice.config = std::move(config);
  return advice;
}

}  // namespace perch::doctor
