// SPDX-License-Identifier: Apache-2.0
// A daemon in C as many are: it removes its path, binds it, and removes it again at SIGTERM.
// usage: pong PATH; every request is answered by "pong".
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char* path;

static void end(int number) {
  (void)number;
  unlink(path);
  _exit(0);
}

static int bound_listener(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) errx(1, "%s: path too long", path);
  strcpy(address.sun_path, path);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  unlink(path);
  if (bind(listener, (const struct sockaddr*)&address, sizeof address) != 0)
    err(1, "bind %s", path);
  if (listen(listener, 16) != 0) err(1, "listen %s", path);
  return listener;
}

static void answer(int client) {
  char request[512];
  if (read(client, request, sizeof request) > 0) send(client, "pong\n", 5, MSG_NOSIGNAL);
  close(client);
}

int main(int argc, char** argv) {
  if (argc != 2) errx(2, "usage: pong PATH");
  path = argv[1];
  signal(SIGTERM, end);
  struct pollfd ready = {.fd = bound_listener(), .events = POLLIN};
  while (poll(&ready, 1, -1) > 0) {
    const int client = accept(ready.fd, NULL, NULL);
    if (client >= 0) answer(client);
  }
  err(1, "poll");
}
