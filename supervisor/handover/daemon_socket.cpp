// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/daemon_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "common/posix/unix_socket.h"
#include "supervisor/listener/pinned_file.h"
#include "supervisor/listener/unix_diag.h"

namespace perch::handover {
namespace {

// What connections inherit from their listener, or accept() goes by. The last is newer than the
// headers (SO_PASSPIDFD, Linux 6.5).
constexpr std::array kLentOptions{SO_PASSCRED, SO_PASSSEC, SO_RCVTIMEO, 76};

bool is_socket(int fd, ino_t inode) {
  const auto id = listener::file_id(fd);
  return id && id->inode == inode;
}

}  // namespace

Result<DaemonSocket> DaemonSocket::look_at(const TargetProcess& process, int fd) {
  const auto inode = process.socket_inode(fd);
  if (!inode) return std::unexpected(inode.error());
  const auto flags = process.descriptor_flags(fd);
  if (!flags) return std::unexpected(flags.error());
  DaemonSocket socket(*inode, *flags);
  // A thread may have descriptors of its own; those copied are its process'.
  auto copy = process.copy_descriptor(fd);
  if (copy && is_socket(copy->get(), *inode)) socket.copy_ = std::move(*copy);
  return socket;
}

bool DaemonSocket::is_stream() const {
  if (copy_) {
    return socket_option(copy_.get(), SO_DOMAIN) == AF_UNIX &&
           socket_option(copy_.get(), SO_TYPE) == SOCK_STREAM;
  }
  return listener::query_socket_type(inode_).value_or(SOCK_STREAM) == SOCK_STREAM;
}

CloseOnExec DaemonSocket::close_on_exec() const noexcept {
  return (flags_ & O_CLOEXEC) != 0 ? CloseOnExec::Yes : CloseOnExec::No;
}

Result<void> DaemonSocket::lend_options(int listener) const {
  const Blocking blocking = (flags_ & O_NONBLOCK) != 0 ? Blocking::No : Blocking::Yes;
  if (auto set = set_blocking(listener, blocking); !set) return set;
  for (const int option : kLentOptions) {
    std::array<std::byte, sizeof(timeval)> value{};
    socklen_t size = option == SO_RCVTIMEO ? sizeof(timeval) : sizeof(int);
    if (copy_) ::getsockopt(copy_.get(), SOL_SOCKET, option, value.data(), &size);
    // Kernels and their builds differ in what they have.
    ::setsockopt(listener, SOL_SOCKET, option, value.data(), size);
  }
  return {};
}

Result<bool> DaemonSocket::reuse_address() const {
  if (!copy_) return fail("copy the socket", EPERM);
  const auto domain = socket_option(copy_.get(), SO_DOMAIN);
  const bool is_internet = domain == AF_INET || domain == AF_INET6;
  if (!is_internet || socket_option(copy_.get(), SO_TYPE) != SOCK_STREAM) return false;
  const int yes = 1;
  if (::setsockopt(copy_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) {
    return fail("SO_REUSEADDR");
  }
  return true;
}

}  // namespace perch::handover
