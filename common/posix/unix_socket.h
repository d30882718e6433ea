// SPDX-License-Identifier: Apache-2.0
// Unix sockets without surprises: every descriptor is born close-on-exec, paths that do not fit
// sun_path are refused instead of cut. Paths that begin with '@' name abstract sockets.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch {

enum class Blocking : bool { No, Yes };

struct UnixAddress {
  sockaddr_un raw{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&raw);  // NOLINT: the sockets API's own cast
  }
};

// sun_path holds 108 bytes; one is kept for the terminator that other programs expect (unix(7)).
inline constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

// An abstract socket's name: it has no file.
inline bool is_abstract(std::string_view path) { return path.starts_with('@'); }

// "/run//a/../b" and "/run/b" are one; links are not looked at, and a name stays as it is.
std::string normal_socket_path(const std::string& path);

// ENAMETOOLONG above kMaxSocketPath bytes, EINVAL for an empty path or one with a NUL in it.
Result<UnixAddress> unix_address(std::string_view path);

// `type` is SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
Result<UniqueFd> unix_socket(int type, Blocking blocking);
Result<UniqueFd> unix_connect(std::string_view path, int type, Blocking blocking);
// A non-blocking SOCK_SEQPACKET pair.
Result<std::pair<UniqueFd, UniqueFd>> seqpacket_pair();

Result<void> set_blocking(int fd, Blocking blocking);
// An option of SOL_SOCKET whose value is an int; nothing where the kernel does not know it.
std::optional<int> socket_option(int fd, int option);
// The credentials of a connected stream peer (SO_PEERCRED).
Result<ucred> peer_credentials(int fd);
// Its supplementary groups when it connected (SO_PEERGROUPS, Linux 4.13).
Result<std::vector<gid_t>> peer_groups(int fd);

}  // namespace perch
