// SPDX-License-Identifier: Apache-2.0
// Listener: a listening Unix socket at a path, and all that keeps the path ours: the lock and the
// spare link. Made by listener::claim. It lives as long as perch keeps the path; generations of
// workers get copies of the descriptor. The path is never bound again while it lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/config/schema.h"
#include "supervisor/listener/path_lock.h"

namespace perch::listener {

enum class ClaimedAs { Bound, ReplacedStale };

struct QueueDepth {
  std::uint32_t queued = 0;   // connections that wait for accept()
  std::uint32_t backlog = 0;  // as the kernel took it
};

class Listener {
 public:
  struct Parts {
    UniqueFd socket;                     // SOCK_STREAM, listening, close-on-exec
    UniqueFd directory;                  // O_PATH; none for abstract names
    std::optional<PathLock> lock;        // none for abstract names
    std::string path;
    std::string basename;
    std::uint64_t device = 0;            // of the socket file
    std::uint64_t inode = 0;             // of the socket file; 0 for abstract names
    ClaimedAs claimed = ClaimedAs::Bound;
    bool healable = false;               // there is a spare link
    config::OnExit on_exit = config::OnExit::Keep;
  };
  explicit Listener(Parts parts);
  // on_exit = unlink: removes path while the lock is held and the inode is still ours. The spare
  // goes too. Keep: leaves both.
  ~Listener();
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;

  [[nodiscard]] int fd() const noexcept { return parts_.socket.get(); }
  [[nodiscard]] const Parts& parts() const noexcept { return parts_; }
  // From sock_diag(7) (UNIX_DIAG_RQLEN); nothing where the kernel or a sandbox has none.
  [[nodiscard]] std::optional<QueueDepth> queue_depth() const;

  // Live changes of a reload.
  Result<void> set_mode(mode_t mode);
  Result<void> set_backlog(int backlog);
  void set_on_exit(config::OnExit on_exit) noexcept { parts_.on_exit = on_exit; }

 private:
  Parts parts_;
};

}  // namespace perch::listener
