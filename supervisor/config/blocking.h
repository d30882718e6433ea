// SPDX-License-Identifier: Apache-2.0
// Whether a worker gets its listeners blocking. O_NONBLOCK belongs to the open file description,
// which perch and all generations share, so it is set at each hand-out, and workers that share a
// listener must agree. Pure.
//  - channel: non-blocking. Its workers sit in epoll: a worker blocked in accept() swallows one
//    fresh connection as it dies.
//  - listen-fds and stdin: blocking, as systemd and inetd hand them out and as daemons expect.
//  - intercept: blocking, until the worker binds a socket of its own: as that one is from then on.
//    Such a listener is shared with nobody.
#pragma once

#include "common/posix/unix_socket.h"
#include "supervisor/config/schema.h"

namespace perch::config {

constexpr Blocking blocking_of(HandoverWay way) {
  return way == HandoverWay::Channel ? Blocking::No : Blocking::Yes;
}

constexpr bool may_share(HandoverWay one, HandoverWay other) {
  return one != HandoverWay::Intercept && other != HandoverWay::Intercept &&
         blocking_of(one) == blocking_of(other);
}

}  // namespace perch::config
