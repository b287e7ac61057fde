/*
 * The cache file of an open index (index/cache.h): entries are read through a
 * window, and new ones are gathered and appended together. Its places are in the
 * entries of the table, so an entry that is written or packed has a new place,
 * which is to be recorded (RECORD_CACHED). Nothing is synced: what does not match
 * its message is made again.
 */
#ifndef INDEX_CACHED_H
#define INDEX_CACHED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "index/cache.h"

struct entry;
struct index;

/* Private to lib/index. */
struct cached {
	int fd;		   /* or -1 */
	struct buf window; /* of the file, from window_at on */
	uint64_t window_at;
	struct buf made; /* entries, not yet written */
	struct buf made_uids;
};

/* What the cache has of E into *F, valid until the next call of one of these;
 * false: nothing. */
bool cached_facts(struct index *x, const struct entry *e,
		  struct mailbox_facts *f);

/* Appends E's entry itself to B, if there is one. */
void cached_entry(struct index *x, const struct entry *e, struct buf *b);

/* Makes ENTRY that of E, not necessarily written at once. True: those of some
 * messages were written, as by cached_write. */
bool cached_put(struct index *x, struct entry *e, const struct buf *entry);

/* Writes what was put: to be called before places of any entry are recorded.
 * True: some have a place now, or none, and ENTRY_CACHED. */
bool cached_write(struct index *x);

/* If most of the file belongs to messages that are gone, puts one with the rest
 * in its place, in UID order, and records the places. Takes the lock for that. A
 * crash, or a failure, before they are recorded costs only that the entries are
 * made again. */
void cached_pack(struct index *x);

/* For lib/index. */
void cached_init(struct cached *c);
void cached_free(struct cached *c);

#endif
