// SPDX-License-Identifier: Apache-2.0
#include "common/posix/unix_socket.h"

#include <fcntl.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>

namespace perch {

std::string normal_socket_path(const std::string& path) {
  return is_abstract(path) ? path : std::filesystem::path(path).lexically_normal().string();
}

Result<UnixAddress> unix_address(std::string_view path) {
  const std::string what = "socket path '" + std::string(path) + "'";
  if (path.empty() || path.find('\0') != std::string_view::npos) return fail(what, EINVAL);
  if (path.size() > kMaxSocketPath) return fail(what, ENAMETOOLONG);
  UnixAddress address;
  address.raw.sun_family = AF_UNIX;
  std::memcpy(address.raw.sun_path, path.data(), path.size());
  const bool abstract = path.front() == '@';
  if (abstract) address.raw.sun_path[0] = '\0';
  // An abstract name is counted, a path is terminated.
  address.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0U : 1U));
  return address;
}

Result<UniqueFd> unix_socket(int type, Blocking blocking) {
  const int flags = SOCK_CLOEXEC | (blocking == Blocking::No ? SOCK_NONBLOCK : 0);
  UniqueFd fd(::socket(AF_UNIX, type | flags, 0));
  if (!fd) return fail("socket");
  return fd;
}

Result<UniqueFd> unix_connect(std::string_view path, int type, Blocking blocking) {
  auto address = unix_address(path);
  if (!address) return std::unexpected(std::move(address.error()));
  auto fd = unix_socket(type, blocking);
  if (!fd) return fd;
  if (::connect(fd->get(), address->get(), address->size) != 0) {
    return fail("connect " + std::string(path));
  }
  return fd;
}

Result<std::pair<UniqueFd, UniqueFd>> seqpacket_pair() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return fail("socketpair");
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<void> set_blocking(int fd, Blocking blocking) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return fail("fcntl F_GETFL");
  const int wanted = blocking == Blocking::Yes ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted != flags && ::fcntl(fd, F_SETFL, wanted) != 0) return fail("fcntl F_SETFL");
  return {};
}

std::optional<int> socket_option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) return std::nullopt;
  return value;
}

Result<ucred> peer_credentials(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail("getsockopt SO_PEERCRED");
  }
  return credentials;
}

Result<std::vector<gid_t>> peer_groups(int fd) {
  std::vector<gid_t> groups(32);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int got = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    if (got != 0 && errno != ERANGE) return fail("getsockopt SO_PEERGROUPS");
    // Where they do not fit, the kernel says what it takes.
    groups.resize(size / sizeof(gid_t));
    if (got == 0) return groups;
  }
}

}  // namespace perch
