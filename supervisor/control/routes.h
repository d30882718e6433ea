// SPDX-License-Identifier: Apache-2.0
// The control socket's address space: which request gets which answer. Knows no socket.
#pragma once

#include "supervisor/control/http_message.h"
#include "supervisor/control/server.h"

namespace perch::control {

// 404 for an unknown path, 405 with the methods allowed for a known one; HEAD works wherever GET
// does.
HttpReply answer(ControlTarget& target, const HttpRequest& request);

}  // namespace perch::control
