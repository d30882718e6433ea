// SPDX-License-Identifier: Apache-2.0
// DaemonSocket: the socket that a daemon made for itself, looked at before perch's listener takes
// its place. What the daemon had set on it must be found on the listener; what it would not do with
// a listener (datagrams) must not be given one.
#pragma once

#include <sys/types.h>

#include <optional>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/handover/notifications.h"
#include "supervisor/handover/target_process.h"

namespace perch::handover {

class DaemonSocket {
 public:
  // ENOTSOCK if that is what `fd` is not.
  static Result<DaemonSocket> look_at(const TargetProcess& process, int fd);

  // SOCK_STREAM like a listener, as far as can be known: where perch may neither copy the
  // descriptor nor ask sock_diag(7), it is taken for one.
  [[nodiscard]] bool is_stream() const;
  [[nodiscard]] CloseOnExec close_on_exec() const noexcept;
  // O_NONBLOCK, credentials passing and the timeout of accept() as the daemon set them. They belong
  // to the listener's description, which perch and all generations share. Options that perch cannot
  // read are set back to what a new socket has.
  [[nodiscard]] Result<void> lend_options(int listener) const;
  // Sets SO_REUSEADDR on an internet stream socket; false where it is none.
  [[nodiscard]] Result<bool> reuse_address() const;

 private:
  DaemonSocket(ino_t inode, unsigned flags) : inode_(inode), flags_(flags) {}
  ino_t inode_;
  unsigned flags_;  // open(2)'s
  UniqueFd copy_;   // none where perch may not
};

}  // namespace perch::handover
