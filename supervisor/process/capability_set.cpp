// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/capability_set.h"

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include "common/posix/file.h"
#include "common/value/capability_names.h"

namespace perch::process {
namespace {

static_assert(kCapabilityNames[CAP_SETPCAP] == "cap_setpcap" && kCapSetpcap == CAP_SETPCAP);
static_assert(kCapabilityNames[CAP_NET_RAW] == "cap_net_raw");
static_assert(kCapabilityNames[CAP_SYS_RESOURCE] == "cap_sys_resource" &&
              kCapSysResource == CAP_SYS_RESOURCE);
static_assert(kCapabilityNames[CAP_AUDIT_READ] == "cap_audit_read");
static_assert(kCapabilityNames[CAP_CHECKPOINT_RESTORE] == "cap_checkpoint_restore");
static_assert(kCapabilityNames.size() == CAP_CHECKPOINT_RESTORE + 1);

constexpr std::string_view kPrefix = "cap_";

// Without regard to the locale, which a static program does not have.
std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return result;
}

// `field` is "CapPrm:" and so on; proc(5).
Result<CapabilitySet> from_status(std::string_view field) {
  const auto status = read_file("/proc/self/status");
  if (!status) return std::unexpected(status.error());
  const std::size_t at = status->find(field);
  if (at != std::string::npos) {
    const char* const digits = status->data() + at + field.size() + 1;
    std::uint64_t bits = 0;
    const auto [stop, error] = std::from_chars(digits, status->data() + status->size(), bits, 16);
    if (error == std::errc()) return CapabilitySet(bits);
  }
  return refuse("/proc/self/status: no " + std::string(field));
}

}  // namespace

std::optional<int> capability_number(std::string_view name) {
  std::string canonical = lower(name);
  if (!canonical.starts_with(kPrefix)) canonical.insert(0, kPrefix);
  const auto found = std::ranges::find(kCapabilityNames, canonical);
  if (found == kCapabilityNames.end()) return std::nullopt;
  return static_cast<int>(found - kCapabilityNames.begin());
}

std::string_view capability_name(int number) {
  return kCapabilityNames.at(static_cast<std::size_t>(number));
}

Result<CapabilitySet> CapabilitySet::parse(const std::vector<std::string>& names) {
  CapabilitySet set;
  for (const std::string& name : names) {
    const auto number = capability_number(name);
    if (!number) {
      return refuse("capability \"" + name + "\": unknown; see capabilities(7) for the names");
    }
    set = set | of(*number);
  }
  return set;
}

Result<CapabilitySet> CapabilitySet::permitted() { return from_status("CapPrm:"); }
Result<CapabilitySet> CapabilitySet::effective() { return from_status("CapEff:"); }
Result<CapabilitySet> CapabilitySet::bounding() { return from_status("CapBnd:"); }

std::vector<std::string> CapabilitySet::names() const {
  std::vector<std::string> result;
  for (int number = 0; number <= kLastCapability; ++number) {
    if (contains(number)) result.emplace_back(capability_name(number));
  }
  return result;
}

}  // namespace perch::process
