/* Adding messages whose bytes have arrived to a folder, all or none. */
#ifndef MAILBOX_ADD_H
#define MAILBOX_ADD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "index/folder.h"
#include "mailbox/incoming.h"
#include "mailbox/store.h"
#include "index/table.h"

struct addition {
	struct incoming in;
	struct entry e; /* flags, letters, dir, keywords, received: given */
	uint64_t key;	/* of the delivery, or 0 */
	struct buf cached;
	char base[MESSAGE_BASE_MAX + 1];
	bool linked;
	struct messages *from_ms; /* moved: what to link, instead of `in` */
	struct message_ref from;
};

/* Puts a journal into a folder that has none (or a damaged one), and the bits
 * of KEYWORD[N] there into *BITS. */
int add_prepare(struct store *s, const char *name, const char *const *keyword,
		size_t n, uint64_t *bits) MUST_CHECK;

/* Begins one for `new` or, if it has flags, for `cur`, still without content;
 * then, in the same way, one whose content comes into a new file in F. */
void addition_init(struct addition *a, unsigned flags, uint64_t keywords,
		   int64_t received);
int addition_begin(struct addition *a, struct folder *f, unsigned flags,
		   uint64_t keywords, int64_t received) MUST_CHECK;
/* All bytes have come: writes them, makes the cache entry. */
int addition_finish(struct addition *a) MUST_CHECK;
/* All are finished: waits until the files may get names. Not under the lock:
 * it takes long. */
int additions_wait(const struct addition *a, size_t n) MUST_CHECK;
void addition_end(struct addition *a);

/* F is locked and has a journal; it is unlocked on return. Assigns UIDs from
 * *UID on, records, links, syncs. On failure nothing was added. */
int add_commit(struct folder *f, struct addition *a, size_t n,
	       uint32_t *uid) MUST_CHECK;

/* The same, but nothing is synced: that is to be done before anything is promised.
 * The record is at *RECORD, to be marked as sure then. */
int add_unsynced(struct folder *f, struct addition *a, size_t n, uint32_t *uid,
		 off_t *record) MUST_CHECK;

/* Withdraws A, which was recorded and never promised. Under the lock. */
int add_undo(struct folder *f, const struct record_add *a) MUST_CHECK;

/* Syncs the journal, and the directories whose bit is set in DIRS. */
int add_sync(struct folder *f, unsigned dirs) MUST_CHECK;

#endif
