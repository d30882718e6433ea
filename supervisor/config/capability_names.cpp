// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/capability_names.h"

#include <linux/capability.h>

#include <algorithm>

#include "supervisor/config/nearest.h"

namespace perch::config {

static_assert(kCapabilityNames[CAP_SYS_RESOURCE] == "cap_sys_resource");
static_assert(kCapabilityNames[CAP_CHECKPOINT_RESTORE] == "cap_checkpoint_restore");

Parsed<std::string> parse_capability(std::string_view text) {
  std::string name(text);
  for (char& letter : name) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  if (name == "all") return name;
  if (!name.starts_with("cap_")) name = "cap_" + name;
  if (std::ranges::find(kCapabilityNames, name) != kCapabilityNames.end()) return name;
  const auto meant = nearest(name, kCapabilityNames);
  return std::unexpected(
      in_quotes(text) + " is not a capability; " +
      (meant ? "did you mean " + in_quotes(*meant) + "?" : "see capabilities(7)"));
}

}  // namespace perch::config
