// SPDX-License-Identifier: Apache-2.0
// How the kernel tells of a cgroup's memory without being asked: descriptors that become readable,
// or prioritized, when something happens. Each is a registration of its own, and closing it ends
// that. An error where a hierarchy is mounted read-only, as in most containers, or a file is not
// there.
#pragma once

#include <string>
#include <string_view>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::process {

// Version 2: an inotify descriptor, readable when the kernel has changed `path`.
Result<UniqueFd> watch_cgroup_file(const std::string& path);

// Version 1: an eventfd for what happens to `file` of the cgroup; some take an argument
// (cgroup-v1/memory.rst, "cgroup.event_control").
Result<UniqueFd> register_cgroup_event(const std::string& directory, std::string_view file,
                                       std::string_view argument = {});

// Version 2: prioritized (EPOLLPRI) when the cgroup's processes have waited for memory for a tenth
// of two seconds (accounting/psi.rst). The window is what Linux 6.5 allows everybody.
Result<UniqueFd> watch_memory_pressure(const std::string& directory);

}  // namespace perch::process
