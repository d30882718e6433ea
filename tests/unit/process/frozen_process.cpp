// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/process/frozen_process.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "common/posix/file.h"
#include "tests/support/process_info.h"
#include "tests/support/wait_until.h"

namespace perch::test {

std::unique_ptr<FrozenProcess> FrozenProcess::make() {
  std::unique_ptr<FrozenProcess> process(new FrozenProcess);
  return process->freeze() ? std::move(process) : nullptr;
}

bool FrozenProcess::freeze() {
  mounted_ = ::mount("freezer", mount_.path().c_str(), "cgroup", 0, "freezer") == 0;
  if (!mounted_) return false;
  cgroup_ = mount_.path("perch-test." + std::to_string(::getpid()));
  if (::mkdir(cgroup_.c_str(), 0755) != 0) return false;
  pid_ = ::fork();
  if (pid_ == 0) {
    for (;;) ::pause();
  }
  return write_file(cgroup_ + "/cgroup.procs", std::to_string(pid_)) &&
         write_file(cgroup_ + "/freezer.state", "FROZEN") && wait_until([this] {
           return read_file(cgroup_ + "/freezer.state").value_or("") == "FROZEN\n";
         });
}

FrozenProcess::~FrozenProcess() {
  static_cast<void>(write_file(cgroup_ + "/freezer.state", "THAWED"));
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::rmdir(cgroup_.c_str());
  if (mounted_) ::umount(mount_.path().c_str());
}

}  // namespace perch::test
