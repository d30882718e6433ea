// SPDX-License-Identifier: Apache-2.0
#include "supervisor/doctor/habits.h"

#include <algorithm>
#include <set>

namespace perch::doctor {
namespace {

using Kind = SocketCall::Kind;

class Gatherer {
 public:
  void add(const SocketCall& call) {
    switch (call.kind) {
      case Kind::Bind:
        return on_bind(call);
      case Kind::Rename:
        return on_rename(call);
      case Kind::Listen:
        return with(call.path, [&](SocketHabits& socket) {
          socket.listens = true;
          socket.backlog = call.backlog;
        });
      case Kind::Chmod:
        return with(call.path, [&](SocketHabits& socket) { socket.mode = call.mode; });
      case Kind::Shutdown:
        return with(call.path, [](SocketHabits& socket) { socket.shuts_down = true; });
      case Kind::Connect:
        connected_.insert(call.path);
        return;
      case Kind::Unlink:
        return on_unlink(call);
    }
  }
  Habits take() { return std::move(habits_); }

 private:
  template <class Change>
  void with(const std::string& path, Change change) {
    const auto found = std::ranges::find(habits_.sockets, path, &SocketHabits::path);
    if (found != habits_.sockets.end()) change(*found);
  }

  void on_bind(const SocketCall& call) {
    if (call.tcp_port) {
      // Port 0 is the kernel's choice, which no second process can be in the way of.
      if (*call.tcp_port != 0) on_tcp_bind(*call.tcp_port, call.reuse_address);
      return;
    }
    if (call.path.empty()) return;
    std::erase_if(habits_.sockets, [&](const auto& known) { return known.path == call.path; });
    habits_.sockets.push_back({.path = call.path,
                               .type = call.type,
                               .mode = std::nullopt,
                               .probes = connected_.contains(call.path),
                               .removes_before = removed_.contains(call.path)});
  }

  // Both families of addresses, most often.
  void on_tcp_bind(std::uint16_t port, bool reuses_address) {
    const auto known = std::ranges::find(habits_.tcp, port, &TcpHabits::port);
    if (known == habits_.tcp.end()) return habits_.tcp.push_back({port, reuses_address});
    known->reuses_address &= reuses_address;
  }

  // What was bound under another name is known to clients by the new one.
  void on_rename(const SocketCall& call) {
    with(call.path, [&](SocketHabits& socket) {
      socket.path = call.new_path;
      socket.renames = true;
      socket.probes |= connected_.contains(call.new_path);
    });
  }

  void on_unlink(const SocketCall& call) {
    if (!call.while_stopping) removed_.insert(call.path);
    with(call.path, [&](SocketHabits& socket) { socket.removes_at_stop |= call.while_stopping; });
  }

  Habits habits_;
  std::set<std::string> connected_;
  std::set<std::string> removed_;
};

}  // namespace

Habits habits_of(std::span<const SocketCall> calls) {
  Gatherer gatherer;
  for (const SocketCall& call : calls) gatherer.add(call);
  return gatherer.take();
}

}  // namespace perch::doctor
