// SPDX-License-Identifier: Apache-2.0
// The address space of perch's HTTP: which request gets which answer, and what right it takes.
// Knows no socket.
#pragma once

#include "common/http/http_message.h"
#include "supervisor/control/access.h"
#include "supervisor/control/server.h"

namespace perch::control {

// 404 with what there is for an unknown path, 403 for want of the right, 405 with the method that
// is allowed, 400 for a query that says what nobody asked; HEAD works wherever GET does. For who
// has no more than Right::Probe (the HTTP port's clients) nothing else is there.
HttpReply answer(ControlTarget& target, const HttpRequest& request, Right right);

}  // namespace perch::control
