// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/listener.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/listener/backlog.h"

namespace perch::listener {

Listener::~Listener() {
  const bool moved_from = !parts_.socket;
  if (moved_from || parts_.request.on_exit != config::OnExit::Unlink) return;
  remove_path();
  // For all who have a copy of it, a keeper too.
  if (parts_.lock) ::flock(parts_.lock->fd(), LOCK_UN);
}

void Listener::remove_path() const noexcept {
  if (!parts_.file) return;
  const SocketDirectory& directory = *parts_.directory;
  directory.remove_if(directory.basename(), parts_.file->id);
  directory.remove_if(directory.spare_name(), parts_.file->id);
}

std::optional<QueueDepth> Listener::queue_depth() const { return query_queue_depth(fd()); }

std::optional<mode_t> Listener::mode() const {
  struct stat found{};
  if (!parts_.file || ::fstat(parts_.file->fd.get(), &found) != 0) return std::nullopt;
  return found.st_mode & 07777U;
}

// What is wanted is noted first: the chmod is news to whoever watches the inode.
Result<void> Listener::set_mode(std::optional<mode_t> mode) {
  if (mode && !parts_.file) return refuse(path() + ": an abstract name has no mode");
  parts_.request.mode = mode;
  if (mode && ::chmod(parts_.file->proc_path().c_str(), *mode) != 0) return fail("chmod " + path());
  return {};
}

Result<void> Listener::set_owner(std::optional<uid_t> uid, std::optional<gid_t> gid) {
  parts_.request.uid = uid;
  parts_.request.gid = gid;
  if (!uid && !gid) return {};
  if (!parts_.file) return refuse(path() + ": an abstract name has no owner");
  const uid_t user = uid.value_or(static_cast<uid_t>(-1));
  const gid_t group = gid.value_or(static_cast<gid_t>(-1));
  if (::chown(parts_.file->proc_path().c_str(), user, group) != 0) {
    return fail("chown " + path());
  }
  return {};
}

Result<void> Listener::set_backlog(int backlog) {
  parts_.request.backlog = backlog;
  if (auto listening = listen_on(fd(), backlog); !listening) {
    return fail_within(path(), std::move(listening.error()));
  }
  return {};
}

}  // namespace perch::listener
