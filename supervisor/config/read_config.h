// SPDX-License-Identifier: Apache-2.0
// From the tree of a document to a Config with every default filled in. What cannot be read is in
// the report, and keeps its default here, so that the checks across sections still have something
// to look at.
#pragma once

#include "supervisor/config/document.h"
#include "supervisor/config/report.h"
#include "supervisor/config/schema.h"

namespace perch::config {

// The control path of a file that names none is left empty, with control_is_default set.
Config read_config(const Table& root, Report& report);

}  // namespace perch::config
