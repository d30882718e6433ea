// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/capability_set.h"

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include "common/posix/file.h"

namespace perch::process {
namespace {

// In the order of their numbers (linux/capability.h), which never change.
constexpr std::array<std::string_view, kLastCapability + 1> kNames{"cap_chown",
                                                                   "cap_dac_override",
                                                                   "cap_dac_read_search",
                                                                   "cap_fowner",
                                                                   "cap_fsetid",
                                                                   "cap_kill",
                                                                   "cap_setgid",
                                                                   "cap_setuid",
                                                                   "cap_setpcap",
                                                                   "cap_linux_immutable",
                                                                   "cap_net_bind_service",
                                                                   "cap_net_broadcast",
                                                                   "cap_net_admin",
                                                                   "cap_net_raw",
                                                                   "cap_ipc_lock",
                                                                   "cap_ipc_owner",
                                                                   "cap_sys_module",
                                                                   "cap_sys_rawio",
                                                                   "cap_sys_chroot",
                                                                   "cap_sys_ptrace",
                                                                   "cap_sys_pacct",
                                                                   "cap_sys_admin",
                                                                   "cap_sys_boot",
                                                                   "cap_sys_nice",
                                                                   "cap_sys_resource",
                                                                   "cap_sys_time",
                                                                   "cap_sys_tty_config",
                                                                   "cap_mknod",
                                                                   "cap_lease",
                                                                   "cap_audit_write",
                                                                   "cap_audit_control",
                                                                   "cap_setfcap",
                                                                   "cap_mac_override",
                                                                   "cap_mac_admin",
                                                                   "cap_syslog",
                                                                   "cap_wake_alarm",
                                                                   "cap_block_suspend",
                                                                   "cap_audit_read",
                                                                   "cap_perfmon",
                                                                   "cap_bpf",
                                                                   "cap_checkpoint_restore"};
static_assert(kNames[CAP_SETPCAP] == "cap_setpcap" && kCapSetpcap == CAP_SETPCAP);
static_assert(kNames[CAP_NET_RAW] == "cap_net_raw");
static_assert(kNames[CAP_SYS_RESOURCE] == "cap_sys_resource" &&
              kCapSysResource == CAP_SYS_RESOURCE);
static_assert(kNames[CAP_AUDIT_READ] == "cap_audit_read");
static_assert(kNames[CAP_CHECKPOINT_RESTORE] == "cap_checkpoint_restore");
static_assert(kNames.size() == CAP_CHECKPOINT_RESTORE + 1);

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
  const auto found = std::ranges::find(kNames, canonical);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<int>(found - kNames.begin());
}

std::string_view capability_name(int number) { return kNames.at(static_cast<std::size_t>(number)); }

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
