// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/install_filter.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "supervisor/process/capability_set.h"

namespace perch::process {
namespace {

// This filter confines nobody: kernels before 5.16 would slow the worker by mitigations meant for
// sandboxes.
constexpr unsigned long kFlags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;

int set_filter(std::span<const sock_filter> program, unsigned long flags) noexcept {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): the kernel only reads
  auto* instructions = const_cast<sock_filter*>(program.data());
  const sock_fprog whole{static_cast<unsigned short>(program.size()), instructions};
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole));
}

// The notify descriptor, or -1. With the newer flag (Linux 5.19) a signal does not interrupt a call
// that is being answered, but for one that kills: Go's runtime sends itself signals all the time.
int listen_by_filter(std::span<const sock_filter> program) noexcept {
  const int notify = set_filter(program, kFlags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  return notify < 0 && errno == EINVAL ? set_filter(program, kFlags) : notify;
}

int send_descriptor(int socket, int fd) noexcept {
  char nothing = 0;
  iovec data{&nothing, sizeof nothing};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof fd)]{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

}  // namespace

bool filters_need_no_new_privs() {
  const auto effective = CapabilitySet::effective();
  return !effective || !effective->contains(kCapSysAdmin);
}

int install_filter(const FilterStep& step) noexcept {
  if (step.program.empty()) return 0;
  if (step.no_new_privs && ::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0) {
    return errno;
  }
  const int notify = listen_by_filter(step.program);
  return notify < 0 ? errno : send_descriptor(step.socket, notify);
}

}  // namespace perch::process
