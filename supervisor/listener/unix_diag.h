// SPDX-License-Identifier: Apache-2.0
// What the kernel knows about one of our Unix sockets, by sock_diag(7): the only place that says
// how many connections wait for accept(). One request, one answer, at once; many sandboxes have
// none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace perch::listener {

struct QueueDepth {
  std::uint32_t queued = 0;   // connections that wait for accept()
  std::uint32_t backlog = 0;  // as the kernel took it; it queues one connection more than that
};

// Of a listening socket of this process's network namespace.
std::optional<QueueDepth> query_queue_depth(int socket);

// SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET of any Unix socket there, by its number in sockfs.
std::optional<int> query_socket_type(ino_t inode);

}  // namespace perch::listener
