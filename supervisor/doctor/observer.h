// SPDX-License-Identifier: Apache-2.0
// Observer: lets a command's calls on sockets and their names pass, and writes them down. It keeps
// one thing from happening: that the command takes the path of a socket which somebody else holds,
// since it is only run to be looked at.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "supervisor/doctor/socket_call.h"
#include "supervisor/handover/intercepted_call.h"
#include "supervisor/handover/notifications.h"
#include "supervisor/handover/target_process.h"

namespace perch::doctor {

class Observer {
 public:
  // `on_call` after each that was written down.
  static Result<std::unique_ptr<Observer>> watch(Loop& loop, UniqueFd notify,
                                                 std::function<void()> on_call);

  // What comes from now on comes because it was asked to stop.
  void begin_stop() { stopping_ = true; }
  [[nodiscard]] const std::vector<SocketCall>& calls() const noexcept { return calls_; }
  // Of others, which it would have taken away.
  [[nodiscard]] const std::vector<std::string>& spared() const noexcept { return spared_; }
  // Why nothing can be said: its calls could not be read.
  [[nodiscard]] const std::string& blindness() const noexcept { return blindness_; }

 private:
  Observer(handover::Notifications notifications, std::function<void()> on_call)
      : notifications_(std::move(notifications)), on_call_(std::move(on_call)) {}
  void on_ready();
  handover::Answer look(const handover::Notification& notification);
  // Completes `call`; nothing where it is not about a socket.
  std::optional<SocketCall> understand(handover::TargetProcess& process, const seccomp_data& data);
  std::optional<SocketCall> bind(handover::TargetProcess& process,
                                 const handover::call::Bind& call);
  std::optional<SocketCall> with_path(handover::TargetProcess& process, SocketCall::Kind kind,
                                      const handover::PathArgument& path);
  std::optional<SocketCall> of_descriptor(handover::TargetProcess& process, SocketCall::Kind kind,
                                          int fd);
  std::string absolute(handover::TargetProcess& process, int base, const std::string& path);
  [[nodiscard]] bool would_take(const SocketCall& call) const;

  handover::Notifications notifications_;
  std::function<void()> on_call_;
  std::optional<FdWatcher> watcher_;
  std::vector<SocketCall> calls_;
  std::vector<std::string> spared_;
  std::map<ino_t, std::string> bound_;  // sockets by their number, and the name they are known by
  std::string blindness_;
  bool stopping_ = false;
};

}  // namespace perch::doctor
