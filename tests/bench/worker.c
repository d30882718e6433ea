// SPDX-License-Identifier: Apache-2.0
// The worker that every contender supervises: small and static, so that a recovery is the
// supervisor's time and not the worker's. It answers each connection with its pid and start time.
//   worker        the listener is descriptor 3 (LISTEN_FDS) or the one SERVER_STARTER_PORT names
//   worker FD     the listener is that descriptor
//   worker PATH   binds the path itself, as daemons do whose supervisor knows nothing of sockets
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int bind_path(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) errx(1, "%s: path too long", path);
  strcpy(address.sun_path, path);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  unlink(path);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0) err(1, "bind %s", path);
  if (listen(listener, SOMAXCONN) != 0) err(1, "listen %s", path);
  return listener;
}

static int find_listener(const char* argument) {
  if (argument != NULL) return *argument == '/' ? bind_path(argument) : atoi(argument);
  const char* ports = getenv("SERVER_STARTER_PORT");  // "PATH=FD"
  if (ports != NULL) return atoi(strrchr(ports, '=') + 1);
  if (getenv("LISTEN_FDS") == NULL) errx(1, "no listener");
  return 3;
}

// A worker killed while it blocks in accept() takes a fresh connection with it: hence poll().
static void serve(int listener, const char* reply) {
  struct pollfd ready = {.fd = listener, .events = POLLIN};
  while (poll(&ready, 1, -1) > 0) {
    int client;
    while ((client = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
      if (send(client, reply, strlen(reply), MSG_NOSIGNAL) < 0) warn("send");
      close(client);
    }
  }
}

int main(int argc, char** argv) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  char reply[64];
  snprintf(reply, sizeof reply, "%d %lld.%09ld", (int)getpid(), (long long)now.tv_sec, now.tv_nsec);
  const int listener = find_listener(argc > 1 ? argv[1] : NULL);
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
  serve(listener, reply);
  err(1, "poll");
}
