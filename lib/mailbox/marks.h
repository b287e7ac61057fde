/*
 * The times of a folder's places (messages/messages.h) around a change of our
 * own. The journal keeps them as we left them, so that nobody needs to list
 * the places to know that nobody else was there; and a time is only worth
 * keeping if a change of another program would have left another one.
 *
 * Times may be those of a clock that ticks every few milliseconds, as on Linux
 * before 6.13: then two changes in one tick look like one. And whoever comes
 * while we are at work is not told from us; so that has to be short.
 */
#ifndef MAILBOX_MARKS_H
#define MAILBOX_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "index/disk.h"
#include "messages/messages.h"

struct marks {
	unsigned dirs;
	int64_t before[DIRS];
	int64_t begun;
};

/* Just before the change, which is to places whose bit is in DIRS. */
void marks_begin(struct marks *k, struct messages *ms, unsigned dirs);

/* Just after it: T's marks become the times of now where those of before were
 * what we had left; none, so that it is looked at, where they prove nothing. */
void marks_end(const struct marks *k, struct messages *ms, struct totals *t);

/* Was the change that left STAMP so long ago that one of now leaves another,
 * however coarse the clock of the file system is? */
bool marks_is_old(int64_t stamp);

#endif
