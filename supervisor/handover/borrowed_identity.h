// SPDX-License-Identifier: Apache-2.0
// BorrowedIdentity: for as long as it lives, perch opens files as another user would. So it may
// look into a worker's /proc without CAP_SYS_PTRACE: the kernel asks whether the file system
// identity is the worker's (ptrace(2), PTRACE_MODE_FSCREDS). Without CAP_SETUID and CAP_SETGID it
// changes nothing. Of the calling thread, and perch has one.
#pragma once

#include <sys/types.h>

namespace perch::handover {

struct FileIdentity {
  uid_t uid;
  gid_t gid;
};

// Whether perch's own capabilities still overrule what files allow. Whoever looks into a process
// needs every capability that the process has; whoever acts in its place must keep none.
enum class FileCapabilities { Dropped, Kept };

class BorrowedIdentity {
 public:
  BorrowedIdentity(FileIdentity wanted, FileCapabilities capabilities) noexcept;
  ~BorrowedIdentity();  // errno stays
  BorrowedIdentity(const BorrowedIdentity&) = delete;
  BorrowedIdentity& operator=(const BorrowedIdentity&) = delete;

  // False without CAP_SETUID or CAP_SETGID, unless perch is that user anyway.
  [[nodiscard]] bool is_worn() const noexcept;

 private:
  FileIdentity wanted_;
  FileIdentity own_{};
  int death_signal_ = 0;
};

}  // namespace perch::handover
