// SPDX-License-Identifier: Apache-2.0
// TargetProcess: another process, seen through /proc while one of its threads waits in a stopped
// call: its memory, its descriptors, its directories. What perch may not read as itself it tries
// once more as the process' user (BorrowedIdentity). Nothing here trusts the process: sizes are
// bounded, and an id that was given to another process meanwhile is the caller's to notice
// (Notifications::still_waits). Memory that a file system has to provide first is waited for.
// Errors: EACCES or EPERM when perch may not, EMFILE, ENFILE or ENOMEM when it cannot at present;
// those of is_its_own mean that the process is going, or gave what the kernel refuses as well.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/handover/borrowed_identity.h"

namespace perch::handover {

inline bool is_denial(const Error& error) { return error.is(EACCES) || error.is(EPERM); }
inline bool is_shortage(const Error& error) {
  return error.is(EMFILE) || error.is(ENFILE) || error.is(ENOMEM);
}
bool is_its_own(const Error& error);

class TargetProcess {
 public:
  explicit TargetProcess(pid_t thread);
  [[nodiscard]] pid_t thread() const noexcept { return thread_; }

  // Can its memory be read? The strictest of all that is asked for here.
  Result<void> open_memory();
  // All of `into`, or EFAULT.
  Result<void> read(std::uint64_t at, std::span<std::byte> into);
  // Up to its NUL; ENAMETOOLONG where there is none within PATH_MAX.
  Result<std::string> read_text(std::uint64_t at);

  // The number behind "socket:"; ENOTSOCK for other descriptors.
  [[nodiscard]] Result<ino_t> socket_inode(int fd) const;
  // open(2)'s flags, O_CLOEXEC included.
  [[nodiscard]] Result<unsigned> descriptor_flags(int fd) const;
  // The same description, for us (pidfd_getfd(2)); asks for more rights than the rest: nobody
  // else's file system identity helps.
  [[nodiscard]] Result<UniqueFd> copy_descriptor(int fd) const;

  // "net:[4026531840]"
  [[nodiscard]] Result<std::string> network_namespace() const;

  // The directory `path` as the process sees it, in its root and mount namespace, for a call that
  // takes relative paths from `base` (a descriptor of its own or AT_FDCWD). Empty is `base` itself.
  [[nodiscard]] Result<UniqueFd> open_directory(int base, const std::string& path) const;
  // Whose rights it has over files, and whose child it is.
  [[nodiscard]] Result<FileIdentity> identity() const;
  [[nodiscard]] Result<pid_t> parent() const;

 private:
  [[nodiscard]] std::string proc(std::string_view name) const;
  [[nodiscard]] Result<UniqueFd> open(const std::string& name, int flags) const;
  [[nodiscard]] Result<std::string> link(const std::string& name) const;
  [[nodiscard]] Result<std::string> path_in_root(const std::string& base,
                                                 const std::string& path) const;
  // `act` answers as a system call does.
  template <class Act>
  auto insist(Act act) const;

  pid_t thread_;
  UniqueFd memory_;
};

}  // namespace perch::handover
