// SPDX-License-Identifier: Apache-2.0
// The backlog of a listener: how many clients may wait while no worker accepts. The kernel silently
// takes no more than net.core.somaxconn of this network namespace; perch says so.
#pragma once

#include <optional>
#include <string>

#include "common/value/error.h"

namespace perch::listener {

// May be called again on a listening socket: sets the new backlog, keeps who is queued already.
Result<void> listen_on(int socket, int backlog);

// A line for people that names both numbers, if the kernel takes less than `backlog`.
std::optional<std::string> backlog_warning(const std::string& path, int backlog);

}  // namespace perch::listener
