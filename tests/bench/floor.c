// SPDX-License-Identifier: Apache-2.0
// The least a supervisor can do, to compare with: holds a listener, starts a worker on it, waits,
// starts the next. No policy, no log, no signals, no readiness.
//   floor PATH WORKER
#define _GNU_SOURCE
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kListener = 3 };

static void hold_listener(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) errx(1, "%s: path too long", path);
  strcpy(address.sun_path, path);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0) err(1, "bind %s", path);
  if (listen(listener, SOMAXCONN) != 0) err(1, "listen %s", path);
  if (listener == kListener) return;
  if (dup2(listener, kListener) < 0) err(1, "dup2");
  close(listener);
}

int main(int argc, char** argv) {
  if (argc != 3) errx(2, "usage: floor PATH WORKER");
  hold_listener(argv[1]);
  char* const environment[] = {"LISTEN_FDS=1", NULL};
  for (;;) {
    const pid_t worker = vfork();
    if (worker == 0) {
      execve(argv[2], argv + 2, environment);
      _exit(127);
    }
    if (worker < 0) err(1, "vfork");
    waitpid(worker, NULL, 0);
  }
}
