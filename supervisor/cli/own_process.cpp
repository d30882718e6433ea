// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/own_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace perch::cli {

void ensure_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is fd itself.
    static_cast<void>(::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY));
  }
}

void own_proc_self() { ::prctl(PR_SET_DUMPABLE, 1); }

rlimit raise_descriptor_limit() {
  rlimit inherited{};
  ::getrlimit(RLIMIT_NOFILE, &inherited);
  rlimit raised = inherited;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return inherited;
}

void end_everything_else() {
  if (::getpid() == 1) ::kill(-1, SIGKILL);
}

}  // namespace perch::cli
