/*
 * Signs of life. A process that is watched (server/watch.h) says at each step
 * by when it will give the next sign; one that misses that time is hung, and
 * is killed. The suite's own functions for waiting and working (lib/io,
 * lib/ipc, base/file.h) give signs themselves, so a program has to do so only
 * where it polls, sleeps or calls a foreign library that may take long. This
 * costs next to nothing, and does nothing in a process that is not watched.
 *
 * A forked process is not watched until it asks for it.
 */
#ifndef BASE_HEARTBEAT_H
#define BASE_HEARTBEAT_H

#include <stdatomic.h>
#include <stdint.h>

/* By when, on clock_ms(), the process must give its next sign; shared with the
 * watcher. INT64_MAX: never. */
typedef _Atomic int64_t heartbeat_due;

/* This process is watched from now on: it gives a sign every PATIENCE_MS. */
void heartbeat_begin(heartbeat_due *due, int64_t patience_ms);

/* Only its own user waits for this process: it is not watched any more. */
void heartbeat_end(void);

/* A step is done. */
void heartbeat(void);

/* The same before a wait of MS (-1: for ever) in poll(2) and the like; gives
 * the time to wait now, which may be less: then call this again. */
int heartbeat_turn(int64_t ms);

/* The same before a step whose progress cannot be seen: it may take MS longer
 * than others. */
void heartbeat_long(int64_t ms);

#endif
