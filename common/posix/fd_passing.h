// SPDX-License-Identifier: Apache-2.0
// Datagrams with descriptors (SCM_RIGHTS) and their sender (SCM_CREDENTIALS) over Unix sockets. A
// received descriptor has an owner from the first moment: whatever is not wanted is closed when the
// Datagram goes, which also answers a sender that waits on it (sd_notify's BARRIER=1).
#pragma once

#include <sys/socket.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch {

// The kernel's own limit on descriptors in one message (SCM_MAX_FD, unix(7)).
inline constexpr std::size_t kMaxPassedFds = 253;
inline constexpr std::size_t kMaxDatagram = 64U << 10U;

struct Datagram {
  std::string payload;
  std::vector<UniqueFd> fds;
  std::optional<ucred> sender;  // present where the receiver set SO_PASSCRED
};

enum class ReceiveEnd { WouldBlock, Closed, Truncated, Failed };

// One message, never blocking. EAGAIN when the queue is full, EPIPE/ECONNRESET when the peer is
// gone (no SIGPIPE). `socket` is connected.
Result<void> send_datagram(int socket, std::string_view payload, std::span<const int> fds = {});

// The next message; else why there is none. Closed: the peer of a SOCK_SEQPACKET went (an empty
// message looks the same; the protocol has none). Truncated: the message or its descriptors did not
// fit; it was dropped and its descriptors closed. Failed: recvmsg(2) failed, errno says why. Never
// blocks; descriptors are close-on-exec.
std::expected<Datagram, ReceiveEnd> receive_datagram(int socket);

}  // namespace perch
