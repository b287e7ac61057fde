/*
 * Are the processes alive? Each is asked now and then (server/link.h); one
 * that does not answer within service_watchdog_timeout, or is not ready within
 * that time after its start, is killed, and what it was doing is logged. All of
 * this takes at most 7 s more than the timeout. Time is that of the monotonic
 * clock while master itself runs: when that jumps, or master stood still,
 * nobody is blamed for it.
 */
#ifndef MASTER_WATCHDOG_H
#define MASTER_WATCHDOG_H

#include <event2/event.h>
#include <stdint.h>

/* Asks from now on. A second call changes the time. */
void watchdog_begin(struct event_base *base, int64_t timeout_s);

/* The parts of it: sets the time; looks at all processes, at NOW. */
void watchdog_set(int64_t timeout_ms, int64_t now);
void watchdog_turn(int64_t now);

#endif
