// SPDX-License-Identifier: Apache-2.0
// How a generation finds its listeners: what each way of hand-over puts into the child's descriptor
// table and environment. The channel's traffic is in channel.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/value/error.h"
#include "supervisor/config/schema.h"
#include "supervisor/handover/channel.h"
#include "supervisor/process/spawn.h"

namespace perch::handover {

// A description (flags and options) is shared by perch and all generations, so what an earlier one
// did to it is undone before each hand-out: O_NONBLOCK as `way` promises, no timeout of accept, no
// credentials passing, which connections inherit. A listener's SO_SNDTIMEO changes nothing.
Result<void> restore_description(int listener, config::HandoverWay way);

// Adds descriptors and variables for `way` to a request that has 0, 1 and 2 in place. `channel` is
// the worker's end, for HandoverWay::Channel alone.
void prepare(config::HandoverWay way, std::span<const NamedFd> listeners, int channel,
             process::SpawnRequest& request);

// Variables that tell of somebody else's hand-over and must not be inherited.
bool is_handover_variable(std::string_view name);

}  // namespace perch::handover
