// SPDX-License-Identifier: Apache-2.0
#include "tests/support/private_mounts.h"

#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <future>
#include <system_error>

#include "tests/support/requirement.h"

namespace perch::test {
namespace {

void must(int result, const char* what) {
  if (result != 0) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void in_private_mounts(const std::function<void()>& what) {
  const auto run = [&what] {
    if (is_root()) {
      must(::unshare(CLONE_NEWNS), "unshare");
      must(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
    }
    what();
  };
  std::async(std::launch::async, run).get();
}

void mount_tmpfs(const std::string& directory, unsigned long flags, const std::string& options) {
  must(::mount("none", directory.c_str(), "tmpfs", flags, options.c_str()), "mount tmpfs");
}

}  // namespace perch::test
