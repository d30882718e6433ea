// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/caller.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "common/posix/unix_socket.h"

namespace perch::peer {
namespace {

constexpr uid_t kOverflowUid = 65534;

Result<std::vector<gid_t>> groups_of(int connection) {
  socklen_t size = 0;
  // The first call says how much room is needed, by ERANGE.
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, nullptr, &size) == 0) return {};
  if (errno != ERANGE) return fail("getsockopt SO_PEERGROUPS");
  std::vector<gid_t> groups(size / sizeof(gid_t));
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
    return fail("getsockopt SO_PEERGROUPS");
  }
  return groups;
}

std::vector<gid_t> own_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  PERCH_CHECK(::getgroups(static_cast<int>(groups.size()), groups.data()) >= 0);
  return groups;
}

// glibc's setgroups() would change every thread; the call itself changes the one that makes it.
bool set_thread_groups(const std::vector<gid_t>& groups) {
  return ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

void set_fs_ids(uid_t uid, gid_t gid) {
  // The group first: as another user we could not any more. Neither call reports a failure; what
  // they return is the id before, so the second call tells what the first one did.
  ::setfsgid(gid);
  ::setfsuid(uid);
  PERCH_CHECK(static_cast<gid_t>(::setfsgid(gid)) == gid);
  PERCH_CHECK(static_cast<uid_t>(::setfsuid(uid)) == uid);
}

}  // namespace

Result<Caller> Caller::of(int connection) {
  const auto credentials = peer_credentials(connection);
  if (!credentials) return std::unexpected(credentials.error());
  auto groups = groups_of(connection);
  if (!groups) return std::unexpected(std::move(groups.error()));
  return Caller{credentials->uid, credentials->gid, std::move(*groups)};
}

Caller Caller::self() { return {::geteuid(), ::getegid(), own_groups()}; }

Result<ActingAs> ActingAs::begin(const Caller& caller) {
  const uid_t own = ::geteuid();
  if (caller.uid == kOverflowUid) return fail("act for a user that has no id here", EPERM);
  if (caller.uid == own) return ActingAs(false);
  if (own != 0)
    return fail("act for user " + std::to_string(caller.uid) + " without being root", EPERM);
  ActingAs acting(true);
  acting.own_groups_ = own_groups();
  if (!set_thread_groups(caller.groups)) {
    acting.switched_ = false;
    return fail("setgroups");
  }
  set_fs_ids(caller.uid, caller.gid);
  return acting;
}

ActingAs::ActingAs(ActingAs&& other) noexcept
    : switched_(std::exchange(other.switched_, false)), own_groups_(std::move(other.own_groups_)) {}

ActingAs::~ActingAs() {
  if (!switched_) return;
  set_fs_ids(::geteuid(), ::getegid());
  PERCH_CHECK(set_thread_groups(own_groups_));
}

}  // namespace perch::peer
