// SPDX-License-Identifier: Apache-2.0
// BorrowedIdentity: for as long as it lives, perch opens files as another user would. So it may
// look into a worker's /proc without CAP_SYS_PTRACE: the kernel asks whether the file system
// identity is the worker's (ptrace(2), PTRACE_MODE_FSCREDS). Without CAP_SETUID and CAP_SETGID it
// changes nothing. Of the calling thread, and perch has one.
#pragma once

#include <sys/types.h>

namespace perch::handover {

class BorrowedIdentity {
 public:
  BorrowedIdentity(uid_t uid, gid_t gid) noexcept;
  ~BorrowedIdentity();  // errno stays
  BorrowedIdentity(const BorrowedIdentity&) = delete;
  BorrowedIdentity& operator=(const BorrowedIdentity&) = delete;

 private:
  uid_t own_uid_;
  gid_t own_gid_;
  int death_signal_ = 0;
};

}  // namespace perch::handover
