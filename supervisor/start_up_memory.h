// SPDX-License-Identifier: Apache-2.0
// What only the start needed, given back. perch stays in memory beside every worker, and most of
// its code runs once: the configuration's parser, the command line, libstdc++'s locales. Their
// pages leave the resident set; what is still needed comes back from the page cache at its next
// use.
#pragma once

namespace perch {

// Changes nothing but residency; a kernel that refuses leaves everything as it is.
void give_back_start_up_memory();

}  // namespace perch
