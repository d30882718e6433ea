// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/listener.h"

#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/listener/backlog.h"

namespace perch::listener {

Listener::~Listener() {
  const bool moved_from = !parts_.socket;
  if (!moved_from && parts_.on_exit == config::OnExit::Unlink) remove_path();
}

void Listener::remove_path() const noexcept {
  if (!parts_.file) return;
  const SocketDirectory& directory = *parts_.directory;
  directory.remove_if(directory.basename(), parts_.file->id);
  directory.remove_if(directory.spare_name(), parts_.file->id);
}

std::optional<QueueDepth> Listener::queue_depth() const { return query_queue_depth(fd()); }

Result<void> Listener::set_mode(mode_t mode) {
  if (!parts_.file) return refuse(parts_.path + ": an abstract name has no mode");
  if (::chmod(parts_.file->proc_path().c_str(), mode) != 0) return fail("chmod " + parts_.path);
  return {};
}

Result<void> Listener::set_owner(std::optional<uid_t> uid, std::optional<gid_t> gid) {
  if (!uid && !gid) return {};
  if (!parts_.file) return refuse(parts_.path + ": an abstract name has no owner");
  const uid_t user = uid.value_or(static_cast<uid_t>(-1));
  const gid_t group = gid.value_or(static_cast<gid_t>(-1));
  if (::chown(parts_.file->proc_path().c_str(), user, group) != 0) {
    return fail("chown " + parts_.path);
  }
  return {};
}

Result<void> Listener::set_backlog(int backlog) {
  if (auto listening = listen_on(fd(), backlog); !listening) {
    return fail_within(parts_.path, std::move(listening.error()));
  }
  return {};
}

}  // namespace perch::listener
