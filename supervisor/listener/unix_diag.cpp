// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/unix_diag.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "common/value/unique_fd.h"

namespace perch::listener {
namespace {

struct Request {
  nlmsghdr header{};
  unix_diag_req question{};
};

bool ask(int netlink, ino_t inode) {
  Request request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.question.sdiag_family = AF_UNIX;
  request.question.udiag_states = ~0U;
  request.question.udiag_ino = static_cast<std::uint32_t>(inode);  // sockfs counts in 32 bits
  request.question.udiag_show = UDIAG_SHOW_RQLEN;
  request.question.udiag_cookie[0] = ~0U;  // INET_DIAG_NOCOOKIE: whatever it is
  request.question.udiag_cookie[1] = ~0U;
  return ::send(netlink, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request);
}

using Answer = std::array<std::byte, 512>;

// Empty when there is none.
std::span<const std::byte> query(ino_t inode, Answer& buffer) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink || !ask(netlink.get(), inode)) return {};
  // The kernel answers within send(); there is nothing to wait for.
  const ssize_t got = ::recv(netlink.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  return std::span(buffer).first(got > 0 ? static_cast<std::size_t>(got) : 0);
}

template <class T>
std::optional<T> read_at(std::span<const std::byte> bytes, std::size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// An answer is a header, the fixed part, then attributes; an error message has another type.
std::optional<QueueDepth> find_queue_length(std::span<const std::byte> answer) {
  const auto header = read_at<nlmsghdr>(answer, 0);
  if (!header || header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
  std::size_t offset = NLMSG_SPACE(sizeof(unix_diag_msg));
  while (const auto attribute = read_at<rtattr>(answer, offset)) {
    if (attribute->rta_len < sizeof(rtattr)) return std::nullopt;
    if (attribute->rta_type == UNIX_DIAG_RQLEN) {
      const auto length = read_at<unix_diag_rqlen>(answer, offset + RTA_LENGTH(0));
      if (!length) return std::nullopt;
      return QueueDepth{.queued = length->udiag_rqueue, .backlog = length->udiag_wqueue};
    }
    offset += RTA_ALIGN(std::size_t{attribute->rta_len});
  }
  return std::nullopt;
}

}  // namespace

std::optional<QueueDepth> query_queue_depth(int socket) {
  struct stat found{};
  if (::fstat(socket, &found) != 0) return std::nullopt;
  Answer buffer{};
  return find_queue_length(query(found.st_ino, buffer));
}

std::optional<int> query_socket_type(ino_t inode) {
  Answer buffer{};
  const std::span<const std::byte> answer = query(inode, buffer);
  const auto header = read_at<nlmsghdr>(answer, 0);
  if (!header || header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
  const auto found = read_at<unix_diag_msg>(answer, NLMSG_HDRLEN);
  return found ? std::optional<int>(found->udiag_type) : std::nullopt;
}

}  // namespace perch::listener
