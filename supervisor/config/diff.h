// SPDX-License-Identifier: Apache-2.0
// What a reload has to do, by name. Pure.
#pragma once

#include <string>
#include <vector>

#include "supervisor/config/schema.h"

namespace perch::config {

struct Diff {
  std::vector<std::string> listeners_added;
  std::vector<std::string> listeners_removed;
  std::vector<std::string> listeners_changed;  // path, mode, owner or backlog: claimed anew or re-moded
  std::vector<std::string> workers_added;
  std::vector<std::string> workers_removed;
  std::vector<std::string> workers_restarted;  // what the process itself sees has changed
  std::vector<std::string> workers_adjusted;   // policies only: taken over live
  bool perch_changed = false;
  [[nodiscard]] bool empty() const;
};

Diff diff(const Config& running, const Config& wanted);

}  // namespace perch::config
