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

constexpr std::uint32_t bit(unsigned capability) { return 1U << capability; }

// Those over files. Smack's CAP_MAC_OVERRIDE is not among them.
constexpr std::uint32_t kOverFiles = bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) |
                                     bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER) | bit(CAP_FSETID) |
                                     bit(CAP_LINUX_IMMUTABLE) | bit(CAP_MKNOD);

template <class Words>
bool ask(long call, Words& words) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return ::syscall(call, &header, words.data()) == 0;
}

}  // namespace

// Each call answers what was before, and so does one that asks for nobody. A change from or to root
// takes or gives those capabilities, so they are set afterwards.
BorrowedIdentity::BorrowedIdentity(FileIdentity wanted, FileCapabilities capabilities) noexcept
    : wanted_(wanted) {
  ::prctl(PR_GET_PDEATHSIG, &death_signal_);
  const bool known = ask(SYS_capget, own_capabilities_);
  own_.gid = static_cast<gid_t>(::setfsgid(wanted.gid));
  own_.uid = static_cast<uid_t>(::setfsuid(wanted.uid));
  if (!known) return;
  CapabilityWords words = own_capabilities_;
  if (capabilities == FileCapabilities::Theirs) {
    words[0].effective &= ~kOverFiles | static_cast<std::uint32_t>(wanted.capabilities);
  }
  is_set_ = ask(SYS_capset, words);
}

bool BorrowedIdentity::is_worn() const noexcept {
  return is_set_ && static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) == wanted_.uid &&
         static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1))) == wanted_.gid;
}

// The kernel takes such a change for one of rights: perch would leave no core, its /proc would be
// root's, and it would outlive a parent it wanted to die with.
BorrowedIdentity::~BorrowedIdentity() {
  const int kept = errno;
  ::setfsuid(own_.uid);
  ::setfsgid(own_.gid);
  if (is_set_) ask(SYS_capset, own_capabilities_);
  ::prctl(PR_SET_DUMPABLE, 1);
  ::prctl(PR_SET_PDEATHSIG, death_signal_);
  errno = kept;
}

Result<void> unlink_as(const FileIdentity& user, int directory, const std::string& name) {
  const BorrowedIdentity borrowed(user, FileCapabilities::Theirs);
  if (!borrowed.is_worn()) return fail("act as the user of the process", EPERM);
  if (::unlinkat(directory, name.c_str(), 0) != 0) return fail("unlink " + name);
  return {};
}

}  // namespace perch::handover
