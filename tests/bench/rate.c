// SPDX-License-Identifier: Apache-2.0
// How often a second something can be done. Prints one number.
//   rate syscall SECONDS [PATH]      getppid, the cheapest system call there is
//   rate exchange SECONDS [PATH]     64 bytes written to a socket and read from its peer
//   rate request SECONDS PATH        HTTP requests, 8 connections that are kept
//   rate connection SECONDS PATH     the same with a connection for each request
// The first two bind PATH before they begin, as a daemon does, where there is one.
#define _GNU_SOURCE
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { kClients = 8, kBatch = 256, kExchanged = 64 };

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int new_socket(void) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) err(1, "socket");
  return fd;
}

static void bind_path(void) {
  const int listener = new_socket();
  unlink(address.sun_path);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0) err(1, "bind");
  if (listen(listener, 16) != 0) err(1, "listen");
}

// Each does its thing some times and says how often.
static long system_calls(void) {
  for (int i = 0; i < kBatch; ++i) syscall(SYS_getppid);
  return kBatch;
}

static long exchanges(void) {
  static int ends[2];
  char bytes[kExchanged] = {0};
  if (ends[0] == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) err(1, "socketpair");
  for (int i = 0; i < kBatch; ++i) {
    if (write(ends[0], bytes, sizeof bytes) != kExchanged) err(1, "write");
    if (read(ends[1], bytes, sizeof bytes) != kExchanged) err(1, "read");
  }
  return kBatch;
}

static int asking(const char* request) {
  const int fd = new_socket();
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) err(1, "connect");
  if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) err(1, "send");
  return fd;
}

// A short reply comes whole.
static void read_reply(int fd) {
  char reply[4096];
  if (read(fd, reply, sizeof reply) <= 0) errx(1, "no reply");
}

static long requests(void) {
  static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  static struct pollfd clients[kClients];
  for (int i = 0; clients[kClients - 1].fd == 0; ++i) {
    clients[i] = (struct pollfd){.fd = asking(request), .events = POLLIN};
  }
  long done = 0;
  if (poll(clients, kClients, -1) < 0) err(1, "poll");
  for (int i = 0; i < kClients; ++i) {
    if (clients[i].revents == 0) continue;
    read_reply(clients[i].fd);
    if (send(clients[i].fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) err(1, "send");
    ++done;
  }
  return done;
}

static long connections(void) {
  const int client = asking("GET / HTTP/1.0\r\n\r\n");
  read_reply(client);
  close(client);
  return 1;
}

static const struct Measure {
  const char* name;
  long (*some)(void);
  int binds;
} measures[] = {{"syscall", system_calls, 1},
                {"exchange", exchanges, 1},
                {"request", requests, 0},
                {"connection", connections, 0}};

static double rate(long (*some)(void), double seconds) {
  long done = 0;
  const double start = now();
  double end = start;
  while (end < start + seconds) {
    done += some();
    end = now();
  }
  return (double)done / (end - start);
}

int main(int argc, char** argv) {
  if (argc < 3) errx(2, "usage: rate WHAT SECONDS [PATH]");
  if (argc > 3) snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[3]);
  for (size_t i = 0; i < sizeof measures / sizeof *measures; ++i) {
    if (strcmp(argv[1], measures[i].name) != 0) continue;
    if (measures[i].binds && argc > 3) bind_path();
    printf("%.0f\n", rate(measures[i].some, atof(argv[2])));
    return 0;
  }
  errx(2, "no such measure: %s", argv[1]);
}
