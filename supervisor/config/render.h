// SPDX-License-Identifier: Apache-2.0
// Render: a configuration as a file that would give it again, with every default written out; and
// the same key by key, for whoever compares two. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supervisor/config/schema.h"

namespace perch::config {

// One key of a section as a file has it.
struct Setting {
  std::string table{};  // within the section: "restart", "environment"; empty: the section itself
  std::string key{};
  std::optional<std::string> value{};  // TOML; nothing where the key is unset
  std::string unset{};                 // what that means, for people
  bool operator==(const Setting&) const = default;
};
using Settings = std::vector<Setting>;  // keys of one table stand together

Settings settings_of(const PerchConfig& perch);
Settings settings_of(const ListenerConfig& listener);
Settings settings_of(const WorkerConfig& worker);

std::string to_toml(const Config& config);
// Without what is as it is where nobody says.
std::string to_short_toml(const Config& config);

}  // namespace perch::config
