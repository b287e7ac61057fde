/*
 * The history of a folder: which UIDs were expunged, and at which
 * mod-sequence. It lies in the journal's records, and reaches back to some
 * mod-sequence; of what was expunged up to that, nothing is known. A new
 * journal gets what is worth keeping of the former one's.
 */
#ifndef INDEX_HISTORY_H
#define INDEX_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "index/batch.h"
#include "index/disk.h"

/* More ranges of UIDs than this are not carried over: 96 KiB. */
#define HISTORY_MAX 4096

struct history {
	struct buf past; /* struct record_past */
	uint64_t reach;	 /* what was expunged after it is known */
};

void history_init(struct history *h);
void history_free(struct history *h);

/* Takes what R, the next record of the journal, says. */
void history_add(struct history *h, const struct record *r);

/* Joins ranges that lie side by side, and forgets what was expunged before
 * OLDEST (microseconds). If there are still more than MAX, ranges of
 * different mod-sequences are joined too, with the later one: a client may be
 * told again what it knows, but never too little. And if that is not enough,
 * those that were expunged first are forgotten. */
void history_bound(struct history *h, int64_t oldest, size_t max);

/* Puts it into B, for a new journal. */
void history_put(const struct history *h, struct batch *b);

/* Appends struct record_range to RANGES for what was expunged after SINCE, as
 * the JOURNAL says up to END; in no order, perhaps overlapping. Reads only the
 * records since then. False: the history does not reach back to SINCE. */
bool history_since(int journal, off_t end, uint64_t since, struct buf *ranges);

/* Does the item say how far back the history reaches, instead of an expunge? */
bool history_is_reach(const struct record_past *p);

#endif
