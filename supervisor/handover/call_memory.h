// SPDX-License-Identifier: Apache-2.0
// What the numbers of a stopped call point to, read from its caller's memory. Errors are those of
// TargetProcess::read.
#pragma once

#include <linux/seccomp.h>

#include "common/value/error.h"
#include "supervisor/handover/intercepted_call.h"
#include "supervisor/handover/socket_name.h"
#include "supervisor/handover/target_process.h"

namespace perch::handover {

// The call itself, or the direct one that stands for an i386 socketcall(2).
Result<seccomp_data> read_arguments(TargetProcess& process, const seccomp_data& data);

// An address that is larger than any is OtherName: the kernel refuses it.
Result<SocketName> read_name(TargetProcess& process, const AddressArgument& address);

}  // namespace perch::handover
