// SPDX-License-Identifier: Apache-2.0
// Kills the worker behind a socket and takes the time until another one answers.
//   client ask PATH TIMEOUT_MS                    waits until a worker answers
//   client kill PATH TIMEOUT_MS KILLS PAUSE_MS    a line a kill: microseconds, failed connects
//   client storm PATH TIMEOUT_MS CLIENTS          the same, one kill while others connect without
//                                                 pause: microseconds, their failed connects,
//                                                 connections that broke off without a reply
// A line "down" instead, and the end, where nobody answers in time.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kReplySize = 64, kMaxClients = 64, kStormBeforeUs = 20000, kRetryUs = 20 };

struct Counts {
  atomic_long failed;  // no connection: refused, or nothing at the path
  atomic_long broken;  // a connection, but no reply
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static long timeout_us;

static long long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void pause_us(long microseconds) {
  const struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&pause, NULL);
}

static int connected(void) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) err(1, "socket");
  const struct timeval limit = {timeout_us / 1000000, timeout_us % 1000000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// One question. The worker sends its whole reply at once; an empty one means there was none.
static void ask(char reply[kReplySize], struct Counts* counts) {
  reply[0] = '\0';
  const int fd = connected();
  if (fd < 0) {
    ++counts->failed;
    return;
  }
  const ssize_t length = recv(fd, reply, kReplySize - 1, 0);
  reply[length > 0 ? length : 0] = '\0';
  if (length <= 0) ++counts->broken;
  close(fd);
}

// Asks until a worker other than `old` has answered, and puts its answer there.
static int await_another(char old[kReplySize], long long since, struct Counts* counts) {
  char reply[kReplySize];
  while (now_us() - since < timeout_us) {
    ask(reply, counts);
    if (reply[0] != '\0' && strcmp(reply, old) != 0) {
      strcpy(old, reply);
      return 1;
    }
    pause_us(kRetryUs);
  }
  return 0;
}

// The time to recovery in microseconds, or -1.
static long long kill_once(char worker[kReplySize], struct Counts* counts) {
  const long long start = now_us();
  if (kill(atoi(worker), SIGKILL) != 0) err(1, "kill %s", worker);
  return await_another(worker, start, counts) ? now_us() - start : -1;
}

static void kill_often(char worker[kReplySize], int kills, long pause) {
  for (int i = 0; i < kills; ++i) {
    if (i > 0) pause_us(pause);
    struct Counts counts = {0};
    const long long time = kill_once(worker, &counts);
    if (time < 0) {
      puts("down");
      return;
    }
    printf("%lld %ld\n", time, counts.failed);
    fflush(stdout);
  }
}

static pid_t start_client(struct Counts* counts) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const long long end = now_us() + 2 * timeout_us;
  char reply[kReplySize];
  while (getppid() == parent && now_us() < end) ask(reply, counts);
  _exit(0);
}

static void storm(char worker[kReplySize], int clients) {
  struct Counts* counts =
      mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counts == MAP_FAILED) err(1, "mmap");
  pid_t pids[kMaxClients];
  for (int i = 0; i < clients; ++i) pids[i] = start_client(counts);
  pause_us(kStormBeforeUs);
  struct Counts ignored = {0};
  const long long time = kill_once(worker, &ignored);
  for (int i = 0; i < clients; ++i) kill(pids[i], SIGKILL);
  while (wait(NULL) > 0) continue;
  if (time < 0)
    puts("down");
  else
    printf("%lld %ld %ld\n", time, counts->failed, counts->broken);
}

int main(int argc, char** argv) {
  if (argc < 4) errx(2, "usage: client ask|kill|storm PATH TIMEOUT_MS ...");
  if (strlen(argv[2]) >= sizeof address.sun_path) errx(2, "%s: path too long", argv[2]);
  strcpy(address.sun_path, argv[2]);
  timeout_us = atol(argv[3]) * 1000;
  prctl(PR_SET_TIMERSLACK, 1);

  char worker[kReplySize] = "";
  struct Counts counts = {0};
  if (!await_another(worker, now_us(), &counts)) {
    puts("down");
  } else if (strcmp(argv[1], "kill") == 0 && argc == 6) {
    kill_often(worker, atoi(argv[4]), atol(argv[5]) * 1000);
  } else if (strcmp(argv[1], "storm") == 0 && argc == 5 && atoi(argv[4]) <= kMaxClients) {
    storm(worker, atoi(argv[4]));
  } else if (strcmp(argv[1], "ask") == 0) {
    puts(worker);
  } else {
    errx(2, "no such use of %s", argv[1]);
  }
  return 0;
}
