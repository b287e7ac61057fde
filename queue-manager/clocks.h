/*
 * Two clocks. Intervals, rests and the order of waiting messages go by q->tick,
 * seconds of a clock that nobody sets and that goes on while the machine
 * sleeps. What is on disk, and the age of a message, go by q->now, the wall
 * clock, which may be set at any time, by any amount, in both directions.
 *
 * When it is set, it is unknown which of the two times was right. So the lower
 * of the two ages of a message counts, and for a while none is given up.
 */
#ifndef QUEUE_MANAGER_CLOCKS_H
#define QUEUE_MANAGER_CLOCKS_H

#include "queue-manager/qmgr.h"

/* Reads both; at each wake-up. */
void clocks_read(struct qmgr *q);

/* The tick of the wall time WHEN, which was recorded as the next try of a
 * message: not before now, and not later than a try can be. */
uint32_t clocks_tick_of_try(const struct qmgr *q, time_t when);

/* The wall time of TICK. */
time_t clocks_wall(const struct qmgr *q, uint32_t tick);

/* How old the message in SLOT is, in seconds; never less than 0. */
int64_t clocks_age(const struct qmgr *q, const struct slot *slot);

/* Has SLOT's message been in the queue for LIFE seconds, as far as the clock
 * can be trusted? */
bool clocks_outlived(const struct qmgr *q, const struct slot *slot,
		     int64_t life);

#endif
