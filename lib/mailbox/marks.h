/*
 * The times of a folder's places (messages/messages.h) around a change of our
 * own. The journal keeps them as we left them, so that no session has to list
 * the places to know that no other program was there; a time is only kept if
 * a change by another program would have left another one.
 *
 * Times may come from a clock that ticks every few milliseconds, as on Linux
 * before 6.13, or each second, as on an ext4 that was an ext3: then two changes
 * in one tick look like one. A change by another program while we make ours
 * cannot be told from it, so ours has to be short.
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

/* Just before the change, to the places whose bit is in DIRS. */
void marks_begin(struct marks *k, struct messages *ms, unsigned dirs);

/* Just after it: T's marks become the current times, if the former times were
 * what we had left. If they prove nothing, the mark gets no time, so that the
 * place is read. */
void marks_end(const struct marks *k, struct messages *ms, struct totals *t);

/* Was the change that left STAMP so long ago that one made now leaves another,
 * however coarse the clock of the file system is? */
bool marks_is_old(int64_t stamp);

#endif
