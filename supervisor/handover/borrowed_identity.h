// SPDX-License-Identifier: Apache-2.0
// BorrowedIdentity: for as long as it lives, perch opens files as another user would. So it may
// look into a worker's /proc without CAP_SYS_PTRACE: the kernel asks whether the file system
// identity is the worker's (ptrace(2), PTRACE_MODE_FSCREDS). Without CAP_SETUID and CAP_SETGID it
// changes nothing. Of the calling thread, and perch has one.
#pragma once

#include <linux/capability.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>

#include "common/value/error.h"

namespace perch::handover {

struct FileIdentity {
  uid_t uid;
  gid_t gid;
  std::uint64_t capabilities = 0;  // that it may use in our user namespace, by number
};

// Which capabilities still overrule what files allow. Whoever looks into a process needs every one
// that the process has, so perch keeps its own; whoever acts in its place must have none that it
// has not, and root may have fewer than perch.
enum class FileCapabilities { Theirs, Kept };

class BorrowedIdentity {
 public:
  BorrowedIdentity(FileIdentity wanted, FileCapabilities capabilities) noexcept;
  ~BorrowedIdentity();  // errno stays
  BorrowedIdentity(const BorrowedIdentity&) = delete;
  BorrowedIdentity& operator=(const BorrowedIdentity&) = delete;

  // False without CAP_SETUID or CAP_SETGID, unless perch is that user anyway.
  [[nodiscard]] bool is_worn() const noexcept;

 private:
  using CapabilityWords = std::array<__user_cap_data_struct, 2>;
  FileIdentity wanted_;
  FileIdentity own_{};
  CapabilityWords own_capabilities_{};
  bool is_set_ = false;
  int death_signal_ = 0;
};

// unlinkat(2) with that one's rights and not with ours.
Result<void> unlink_as(const FileIdentity& user, int directory, const std::string& name);

}  // namespace perch::handover
