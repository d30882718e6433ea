// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/caller.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
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

bool set_fs_ids(uid_t uid, gid_t gid) {
  // The group first: as another user we could not any more. Neither call reports a failure; what
  // they return is the id before, so the second call tells what the first one did.
  ::setfsgid(gid);
  ::setfsuid(uid);
  return static_cast<gid_t>(::setfsgid(gid)) == gid && static_cast<uid_t>(::setfsuid(uid)) == uid;
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
  const std::string what = "act for user " + std::to_string(caller.uid);
  if (own != 0) return fail(what + " without being root", EPERM);
  // An id that is not mapped in this user namespace is refused, too.
  const std::string refused = what + ": it needs CAP_SETUID and CAP_SETGID, and ids known here";
  const auto groups = own_groups();
  if (!set_thread_groups(caller.groups)) return fail(refused, EPERM);
  ActingAs acting(true);
  acting.own_groups_ = groups;
  if (!set_fs_ids(caller.uid, caller.gid)) return fail(refused, EPERM);
  return acting;
}

ActingAs::ActingAs(ActingAs&& other) noexcept
    : switched_(std::exchange(other.switched_, false)), own_groups_(std::move(other.own_groups_)) {}

ActingAs::~ActingAs() {
  if (!switched_) return;
  PERCH_CHECK(set_fs_ids(::geteuid(), ::getegid()));
  PERCH_CHECK(set_thread_groups(own_groups_));
}

void give_up_reserves() {
  __user_cap_header_struct who{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  PERCH_CHECK(::syscall(SYS_capget, &who, sets.data()) == 0);
  sets[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
  PERCH_CHECK(::syscall(SYS_capset, &who, sets.data()) == 0);
}

}  // namespace perch::peer
