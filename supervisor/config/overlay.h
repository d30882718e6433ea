// SPDX-License-Identifier: Apache-2.0
// Overlay: lays the command line over the tree of a file, before it is read, so that both go
// through the same reading and the same checks. The report learns which values are the command
// line's.
#pragma once

#include "supervisor/config/document.h"
#include "supervisor/config/load.h"
#include "supervisor/config/report.h"

namespace perch::config {

// Listeners are added, or get another path, by name, and go to the only worker. The command and the
// options of a worker are the only worker's; without one, a worker is made that takes every
// listener. With several workers such an option is a problem.
void overlay(Table& root, const Overrides& overrides, Report& report);

}  // namespace perch::config
