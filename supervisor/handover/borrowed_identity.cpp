// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/borrowed_identity.h"

#include <sys/fsuid.h>
#include <sys/prctl.h>

#include <cerrno>

namespace perch::handover {

// Each call answers what was before.
BorrowedIdentity::BorrowedIdentity(uid_t uid, gid_t gid) noexcept {
  ::prctl(PR_GET_PDEATHSIG, &death_signal_);
  own_gid_ = static_cast<gid_t>(::setfsgid(gid));
  own_uid_ = static_cast<uid_t>(::setfsuid(uid));
}

// The kernel takes such a change for one of rights: perch would leave no core, its /proc would be
// root's, and it would outlive a parent it wanted to die with.
BorrowedIdentity::~BorrowedIdentity() {
  const int kept = errno;
  ::setfsuid(own_uid_);
  ::setfsgid(own_gid_);
  ::prctl(PR_SET_DUMPABLE, 1);
  ::prctl(PR_SET_PDEATHSIG, death_signal_);
  errno = kept;
}

}  // namespace perch::handover
