// SPDX-License-Identifier: Apache-2.0
// ParentNotify: perch's side of sd_notify(3) towards whoever started it and set NOTIFY_SOCKET, such
// as a systemd unit of Type=notify. READY=1 once every required worker is ready for the first time,
// STATUS= as that changes, the reload, the stop, and the watchdog where WATCHDOG_USEC asks for it.
// Nothing here waits or fails: whom nobody listens to stays silent, at no cost.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/posix/notify_message.h"
#include "common/posix/unix_socket.h"
#include "common/value/unique_fd.h"

namespace perch {

class ParentNotify {
 public:
  struct Standing {
    bool ready = false;
    std::string status{};  // one short line
    bool operator==(const Standing&) const = default;
  };
  using Look = std::function<Standing()>;

  // Of the environment it takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. `look` is called
  // later, when it is time to tell.
  ParentNotify(Loop& loop, Look look);

  // What `look` returns may be another thing now.
  void on_change();
  // So long perch itself would wait for what comes next, whatever the unit's own timeout.
  void waiting(std::chrono::milliseconds patience);
  void stopping(std::chrono::milliseconds patience);
  // From the one to the other, once it was ready; READY=1 before means something else.
  void begin_reload();
  void end_reload();

 private:
  enum class Sent { Yes, Full };
  Sent send(const NotifyMessage& message) const;
  void tell();
  void feed_watchdog();

  UnixAddress address_;
  UniqueFd socket_;  // none: nobody listens
  Look look_;
  Standing told_;
  Timer tell_;
  std::chrono::microseconds watchdog_{0};  // half of what is allowed; zero: none
  Timer feed_;
};

}  // namespace perch
