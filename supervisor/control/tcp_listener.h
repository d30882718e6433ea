// SPDX-License-Identifier: Apache-2.0
// A listening TCP socket at a numeric address, non-blocking and close-on-exec.
#pragma once

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/config/tcp_address.h"

namespace perch::control {

// Without a host: both families by one socket, or IPv4 alone where the machine has no other.
Result<UniqueFd> listen_on(const config::TcpAddress& address);
// Where it listens: the port is the kernel's choice where none was asked for.
Result<config::TcpAddress> address_of(int listener);

}  // namespace perch::control
