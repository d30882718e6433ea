/* SPDX-License-Identifier: Apache-2.0 */
/* perch_worker: a worker's line to perch, for C and for whatever can call C. The handle owns the
 * channel; it has no thread and no loop and never blocks: poll perch_worker_fd() for reading, then
 * call perch_worker_next_event() until it returns 0. Functions that return int give 0 (or 1) for
 * success and a negative errno otherwise. No function may be called from two threads at once. */
#ifndef PERCH_WORKER_H
#define PERCH_WORKER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct perch_worker perch_worker;

enum perch_worker_event_kind {
  PERCH_WORKER_LISTENER = 1, /* `fd` is a non-blocking listening socket, now the caller's: poll it,
                                accept until EAGAIN, close it in the end */
  PERCH_WORKER_RETIRE = 2,   /* accept from the listener `name` until EAGAIN once more, close it */
  PERCH_WORKER_DRAIN = 3,    /* stop accepting, finish within `deadline_usec` (0: not said), exit */
  PERCH_WORKER_GONE = 4      /* perch closed the channel; the last event */
};

struct perch_worker_event {
  enum perch_worker_event_kind kind;
  int fd;           /* -1 but for PERCH_WORKER_LISTENER */
  const char* name; /* a listener's name, else ""; valid until the next call on the handle */
  uint64_t deadline_usec;
};

/* Reads PERCH_CHANNEL and removes it from the environment. -ENOENT: not started by perch. */
#define PERCH_WORKER_FROM_ENVIRONMENT (-1)

/* Takes the channel `fd`, also when it fails, and says hello. */
int perch_worker_open(int fd, perch_worker** worker);
/* Closes the channel, but none of the listeners that came by it. NULL is ignored. */
void perch_worker_close(perch_worker* worker);

int perch_worker_fd(const perch_worker* worker);
/* 1: `event` is filled; 0: none until the descriptor is readable again; -EBADMSG: a message made
 * no sense and was dropped, go on. */
int perch_worker_next_event(perch_worker* worker, struct perch_worker_event* event);

/* Say this once the listener is polled, not earlier. */
int perch_worker_ready(perch_worker* worker);
int perch_worker_status(perch_worker* worker, const char* text);
int perch_worker_stopping(perch_worker* worker);
int perch_worker_watchdog(perch_worker* worker);
int perch_worker_extend_timeout(perch_worker* worker, uint64_t usec_from_now);

#ifdef __cplusplus
}
#endif

#endif
