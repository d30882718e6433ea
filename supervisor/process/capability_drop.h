// SPDX-License-Identifier: Apache-2.0
// CapabilityPlan: which capabilities a worker keeps, made by the parent and carried out by the
// child between clone and exec. After exec the worker has exactly the kept ones, whether it is
// uid 0 or not, and whatever it executes cannot regain the others; what perch never had it cannot
// give.
// The two steps surround the change of uid and gid. They are async-signal-safe: raw system calls
// only, no allocation, no lock, nothing written but errno, since the child shares our memory.
#pragma once

#include <string>
#include <vector>

#include "common/value/error.h"
#include "supervisor/process/capability_set.h"

namespace perch::process {

struct CapabilityPlan {
  CapabilitySet kept;
  CapabilitySet missing;    // asked for, but perch does not have them: for a warning
  bool everything = false;  // "all": nothing is taken away; a uid other than 0 keeps them too
  CapabilitySet dropped = CapabilitySet::known();  // from the bounding set

  // {}: nothing is kept. {"all"}: everything is. An unknown name is an error.
  static Result<CapabilityPlan> make(const std::vector<std::string>& names);
};

// Before setgroups, setresgid and setresuid: lowers the bounding set, for which the child must
// still have its capabilities, and lets `kept` outlive the change of uid. 0 or an errno.
[[nodiscard]] int before_identity_change(const CapabilityPlan& plan) noexcept;

// After it, also if there was none. Nothing but exec may follow that needs a dropped capability.
// 0 or an errno.
[[nodiscard]] int after_identity_change(const CapabilityPlan& plan) noexcept;

}  // namespace perch::process
