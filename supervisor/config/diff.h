// SPDX-License-Identifier: Apache-2.0
// What a reload has to do, by name. Pure. Each name is in one list at most.
#pragma once

#include <string>
#include <vector>

#include "supervisor/config/schema.h"

namespace perch::config {

struct Diff {
  std::vector<std::string> listeners_added;
  std::vector<std::string> listeners_removed;
  std::vector<std::string> listeners_moved;    // another path: claimed anew
  std::vector<std::string> listeners_changed;  // anything else: taken over live
  std::vector<std::string> workers_added;
  std::vector<std::string> workers_removed;
  // What the process itself sees has changed, or which listeners it has.
  std::vector<std::string> workers_restarted;
  // Only its listeners: they are handed to it, and taken from it, while it runs (`channel`).
  std::vector<std::string> workers_rehanded;
  std::vector<std::string> workers_adjusted;  // policies only: taken over live
  bool perch_changed = false;
  bool operator==(const Diff&) const = default;
  [[nodiscard]] bool empty() const { return *this == Diff{}; }
};

Diff diff(const Config& running, const Config& wanted);

// Those in both whose mode was unset and is set, or the reverse.
std::vector<std::string> listeners_with_mode_anew(const Config& running, const Config& wanted);

// What was done, on one line: "listeners claimed: api; workers restarted: app".
std::string summary(const Diff& diff);

}  // namespace perch::config
