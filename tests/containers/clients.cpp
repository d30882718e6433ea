// SPDX-License-Identifier: Apache-2.0
// container-clients SOCKET REQUEST: the clients of another container, its PID 1. They connect
// without pause until SIGTERM. It prints "serving" once one was served, and at its end what they
// saw, as JSON on one line.
#include <fmt/format.h>
#include <signal.h>

#include <cstdio>

#include "tests/support/client_storm.h"
#include "tests/support/wait_until.h"

namespace {

// Blocked before there are threads, so that all of them have it blocked.
sigset_t block_the_end() {
  sigset_t end;
  ::sigemptyset(&end);
  ::sigaddset(&end, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &end, nullptr);
  return end;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const sigset_t end = block_the_end();
  perch::test::ClientStorm storm({.path = argv[1], .request = argv[2]}, 2);
  while (storm.served() == 0) perch::test::breathe();
  fmt::print("serving\n");
  std::fflush(stdout);
  int signal = 0;
  ::sigwait(&end, &signal);
  const perch::test::StormCounts counts = storm.stop();
  fmt::print(
      "{{\"connects\": {}, \"served\": {}, \"refused\": {}, \"missing\": {}, \"full\": {}, "
      "\"other\": {}, \"lost\": {}, \"inodes\": {}}}\n",
      counts.connects, counts.served, counts.refused, counts.missing, counts.full, counts.other,
      counts.lost, counts.inodes.size());
  return 0;
}
