// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/borrowed_identity.h"

#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace perch::handover {

namespace {

struct EffectiveCapabilities {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};

  EffectiveCapabilities() noexcept { ::syscall(SYS_capget, &header, sets.data()); }
  void restore() noexcept { ::syscall(SYS_capset, &header, sets.data()); }
};

}  // namespace

// Each call answers what was before, and so does one that asks for nobody. setfsuid takes the
// capabilities that concern files out of the effective set.
BorrowedIdentity::BorrowedIdentity(FileIdentity wanted, FileCapabilities capabilities) noexcept
    : wanted_(wanted) {
  ::prctl(PR_GET_PDEATHSIG, &death_signal_);
  EffectiveCapabilities before;
  own_.gid = static_cast<gid_t>(::setfsgid(wanted.gid));
  own_.uid = static_cast<uid_t>(::setfsuid(wanted.uid));
  if (capabilities == FileCapabilities::Kept) before.restore();
}

bool BorrowedIdentity::is_worn() const noexcept {
  return static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) == wanted_.uid &&
         static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1))) == wanted_.gid;
}

// The kernel takes such a change for one of rights: perch would leave no core, its /proc would be
// root's, and it would outlive a parent it wanted to die with.
BorrowedIdentity::~BorrowedIdentity() {
  const int kept = errno;
  ::setfsuid(own_.uid);
  ::setfsgid(own_.gid);
  ::prctl(PR_SET_DUMPABLE, 1);
  ::prctl(PR_SET_PDEATHSIG, death_signal_);
  errno = kept;
}

}  // namespace perch::handover
