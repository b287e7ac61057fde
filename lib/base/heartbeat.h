/*
 * Signs of life. A process that another one watches (server/watch.h) says,
 * step by step, by when it will be heard of again; who is not heard of by then
 * hangs, and is killed. What the suite waits and works with (lib/io, lib/ipc,
 * base/file.h) gives such signs by itself, so a program has to think of them
 * only where it polls, sleeps or calls a library of others that may take long.
 * All of this costs next to nothing, and does nothing where nobody watches.
 *
 * A process that was forked is not watched, whoever its parent is.
 */
#ifndef BASE_HEARTBEAT_H
#define BASE_HEARTBEAT_H

#include <stdatomic.h>
#include <stdint.h>

/* By when, on clock_ms(), the process is to be heard of again; shared with who
 * watches. INT64_MAX: not at all. */
typedef _Atomic int64_t heartbeat_due;

/* This process is watched from now on: it is heard of every PATIENCE_MS. */
void heartbeat_begin(heartbeat_due *due, int64_t patience_ms);

/* Nobody waits for this process but its own user: it may take its time. */
void heartbeat_end(void);

/* A step is done. */
void heartbeat(void);

/* The same before a wait of MS (-1: for ever) in poll(2) and the like; gives
 * for how long to wait at once, which may be less: then this is called anew. */
int heartbeat_turn(int64_t ms);

/* The same before a step in which nobody can see progress: it may take MS more
 * than others. */
void heartbeat_long(int64_t ms);

#endif
