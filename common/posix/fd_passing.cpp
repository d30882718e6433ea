// SPDX-License-Identifier: Apache-2.0
#include "common/posix/fd_passing.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace perch {
namespace {

constexpr std::size_t kControlSize =
    CMSG_SPACE(sizeof(int) * kMaxPassedFds) + CMSG_SPACE(sizeof(ucred));

struct ControlBuffer {
  alignas(cmsghdr) std::array<std::byte, kControlSize> bytes{};
};

void put_fds(msghdr& message, ControlBuffer& control, std::span<const int> fds) {
  if (fds.empty()) return;
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
}

void take_control(msghdr& message, Datagram& datagram) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + (i * sizeof(int)), sizeof fd);
        datagram.fds.emplace_back(fd);
      }
    } else if (header->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
      datagram.sender = sender;
    }
  }
}

}  // namespace

Result<void> send_datagram(int socket, std::string_view payload, std::span<const int> fds) {
  if (fds.size() > kMaxPassedFds) return fail("sendmsg", E2BIG);
  ControlBuffer control;
  iovec data{const_cast<char*>(payload.data()), payload.size()};  // NOLINT: sendmsg only reads
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  put_fds(message, control, fds);
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail("sendmsg");
  return {};
}

std::expected<Datagram, ReceiveEnd> receive_datagram(int socket) {
  // On the stack: most calls find nothing, and a heap would grow and shrink for it each time.
  std::array<char, kMaxDatagram> payload;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  ControlBuffer control;
  iovec data{payload.data(), payload.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) {
    return std::unexpected(ReceiveEnd::WouldBlock);
  }
  if (got < 0 && errno == ECONNRESET) return std::unexpected(ReceiveEnd::Closed);
  if (got < 0) return std::unexpected(ReceiveEnd::Failed);
  Datagram datagram;
  take_control(message, datagram);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return std::unexpected(ReceiveEnd::Truncated);
  }
  if (got == 0 && datagram.fds.empty()) return std::unexpected(ReceiveEnd::Closed);
  datagram.payload.assign(payload.data(), static_cast<std::size_t>(got));
  return datagram;
}

}  // namespace perch
