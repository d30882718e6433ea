// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/capability_drop.h"

#include <linux/capability.h>
#include <linux/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

namespace perch::process {
namespace {

// 0 or an errno. The C library's prctl() passes on what lies on the stack; the kernel checks the
// unused arguments of some options.
int control(int option, unsigned long argument = 0, unsigned long second = 0) noexcept {
  return ::syscall(SYS_prctl, option, argument, second, 0UL, 0UL) == 0 ? 0 : errno;
}

// An older kernel may know fewer capabilities than we do: EINVAL ends the numbers.
int lower_bounding_set(CapabilitySet dropped) noexcept {
  for (int number = 0; number < 64; ++number) {
    if (!dropped.contains(number)) continue;
    const int error = control(PR_CAPBSET_DROP, static_cast<unsigned long>(number));
    if (error != 0) return error == EINVAL ? 0 : error;
  }
  return 0;
}

// All of it could be dropped or nothing: the first one tells.
bool is_lowered(CapabilitySet dropped) noexcept {
  const auto first = static_cast<unsigned long>(std::countr_zero(dropped.bits()));
  return dropped.empty() || ::syscall(SYS_prctl, PR_CAPBSET_READ, first, 0UL, 0UL, 0UL) == 0;
}

// For uid 0 exec grants the whole bounding set. Where that could not be lowered for want of
// CAP_SETPCAP, no_new_privs makes exec grant nothing beyond what the process already has.
int bound_root_by_no_new_privs(CapabilitySet dropped) noexcept {
  if (is_lowered(dropped)) return 0;
  if (::syscall(SYS_geteuid) != 0 && ::syscall(SYS_getuid) != 0) return 0;
  return control(PR_SET_NO_NEW_PRIVS, 1);
}

int set_all(CapabilitySet kept) noexcept {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const auto low = static_cast<__u32>(kept.bits());
  const auto high = static_cast<__u32>(kept.bits() >> 32U);
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{
      {{.effective = low, .permitted = low, .inheritable = low},
       {.effective = high, .permitted = high, .inheritable = high}}};
  return ::syscall(SYS_capset, &header, data.data()) == 0 ? 0 : errno;
}

// Ambient capabilities are what a plain binary keeps for a uid other than 0. Those that are no
// longer inheritable were lowered by capset.
int raise_ambient(CapabilitySet kept) noexcept {
  for (int number = 0; number < 64; ++number) {
    if (!kept.contains(number)) continue;
    const int error =
        control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, static_cast<unsigned long>(number));
    if (error != 0) return error;
  }
  return 0;
}

}  // namespace

Result<CapabilityPlan> CapabilityPlan::make(const std::vector<std::string>& names) {
  const auto permitted = CapabilitySet::permitted();
  if (!permitted) return std::unexpected(permitted.error());
  const auto bounding = CapabilitySet::bounding();
  if (!bounding) return std::unexpected(bounding.error());
  // What is outside of the bounding set can be made neither inheritable nor ambient.
  const CapabilitySet ours = *permitted & *bounding;
  if (std::ranges::find(names, "all") != names.end()) {
    return CapabilityPlan{.kept = ours, .missing = {}, .everything = true, .dropped = {}};
  }
  const auto wanted = CapabilitySet::parse(names);
  if (!wanted) return std::unexpected(wanted.error());
  const CapabilitySet kept = *wanted & ours;
  return CapabilityPlan{
      .kept = kept, .missing = wanted->without(ours), .dropped = bounding->without(kept)};
}

int before_identity_change(const CapabilityPlan& plan) noexcept {
  if (!plan.everything) {
    // EPERM: no CAP_SETPCAP, which is looked at again for uid 0.
    const int error = lower_bounding_set(plan.dropped);
    if (error != 0 && error != EPERM) return error;
  }
  // Cleared by exec (capabilities(7)).
  return plan.kept.empty() ? 0 : control(PR_SET_KEEPCAPS, 1);
}

int after_identity_change(const CapabilityPlan& plan) noexcept {
  if (plan.everything && ::syscall(SYS_geteuid) == 0) return 0;
  if (!plan.everything) {
    const int error = bound_root_by_no_new_privs(plan.dropped);
    if (error != 0) return error;
  }
  const int error = set_all(plan.kept);
  return error != 0 ? error : raise_ambient(plan.kept);
}

}  // namespace perch::process
