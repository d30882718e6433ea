// SPDX-License-Identifier: Apache-2.0
// NotifySocket: where one generation sends its sd_notify(3) messages (NOTIFY_SOCKET). One socket a
// generation: which socket a message came in on says whose it is, even when its sender (a child
// such as systemd-notify) is reaped already. Credentials only decide whether the sender's user may
// speak. Descriptors that come along are closed at once. The path is unlinked with the object.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/posix/notify_message.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::handover {

class NotifySocket {
 public:
  using OnMessage = std::function<void(const NotifyMessage&)>;

  // `path` is free or holds a dead socket of ours. `worker` is the user that the worker runs as.
  // `on_message` may destroy the socket.
  static Result<std::unique_ptr<NotifySocket>> open(const std::string& path, uid_t worker,
                                                    OnMessage on_message);
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // From here on the loop hears what arrives; until then it waits.
  Result<void> watch(Loop& loop);
  // Reads everything that has arrived.
  void drain();

 private:
  NotifySocket(UniqueFd socket, std::string path, uid_t worker, OnMessage on_message);
  void on_ready();
  bool receive_one();

  UniqueFd socket_;
  std::string path_;
  uid_t worker_;
  // Shared with a call that is under way, which may destroy the socket; expires with it.
  std::shared_ptr<const OnMessage> on_message_;
  std::optional<FdWatcher> watcher_;
};

}  // namespace perch::handover
