// SPDX-License-Identifier: Apache-2.0
// The status document as Prometheus metrics. Pure. Every family is always named, also where it has
// no sample yet; every cause and every state of a worker has one from the start.
#pragma once

#include <string>

#include "supervisor/control/status.h"

namespace perch::control {

std::string to_metrics(const Status& status);

}  // namespace perch::control
