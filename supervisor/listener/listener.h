// SPDX-License-Identifier: Apache-2.0
// Listener: a listening Unix socket at a path, and all that keeps the path ours: the lock and the
// spare link. Made by listener::claim or listener::revive. It lives as long as perch keeps the
// path; generations of workers get copies of the descriptor. The path is never bound again while it
// lives.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/listener/claim_request.h"
#include "supervisor/listener/path_lock.h"
#include "supervisor/listener/pinned_file.h"
#include "supervisor/listener/socket_directory.h"
#include "supervisor/listener/unix_diag.h"

namespace perch::listener {

// Revived: it was the listener of an earlier perch, and a keeper had it meanwhile.
enum class ClaimedAs { Bound, ReplacedStale, Revived };

class Listener {
 public:
  struct Parts {
    UniqueFd socket;                           // listening, close-on-exec
    std::optional<PinnedFile> file;            // the socket file; none for abstract names
    std::optional<SocketDirectory> directory;  // none for abstract names
    std::optional<PathLock> lock;              // none for abstract names
    ClaimRequest request;                      // what is wanted of it now
    ClaimedAs claimed = ClaimedAs::Bound;
    bool healable = false;  // there is a spare link
  };
  explicit Listener(Parts parts) noexcept : parts_(std::move(parts)) {}
  // on_exit = unlink: removes the path and the spare link, each only if it still is our inode; the
  // lock is held until after. Keep: leaves both, for the next claim to replace without a gap.
  ~Listener();
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;

  [[nodiscard]] int fd() const noexcept { return parts_.socket.get(); }
  [[nodiscard]] const Parts& parts() const noexcept { return parts_; }
  [[nodiscard]] const std::string& path() const noexcept { return parts_.request.path; }
  // 0 for abstract names.
  [[nodiscard]] std::uint64_t inode() const noexcept {
    return parts_.file ? parts_.file->id.inode : 0;
  }
  // The rights that the socket file has now, without its type; none for abstract names.
  [[nodiscard]] std::optional<mode_t> mode() const;
  // Nothing where the kernel or a sandbox has no sock_diag(7).
  [[nodiscard]] std::optional<QueueDepth> queue_depth() const;

  // Live changes of a reload. The mode is that of our inode, whatever the path leads to by now;
  // unset: as it is now, and later chmods stand.
  Result<void> set_mode(std::optional<mode_t> mode);
  // What is absent stays. chown clears no bit that matters on a socket.
  Result<void> set_owner(std::optional<uid_t> uid, std::optional<gid_t> gid);
  Result<void> set_backlog(int backlog);
  void set_on_exit(config::OnExit on_exit) noexcept { parts_.request.on_exit = on_exit; }
  void set_peercred(config::PeerCredentials whose) noexcept { parts_.request.peercred = whose; }
  void set_healable(bool healable) noexcept { parts_.healable = healable; }
  // Nobody new can connect; who has, is still to be accepted.
  void remove_path() const noexcept;
  // For the listener that succeeds this one at its path.
  [[nodiscard]] std::optional<PathLock> take_lock() noexcept {
    return std::exchange(parts_.lock, std::nullopt);
  }

 private:
  Parts parts_;
};

}  // namespace perch::listener
