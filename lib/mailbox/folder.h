/*
 * One folder's directory and journal: locking, repair, appending records.
 * What mailbox, append and deliver have in common.
 *
 * The lock is an OFD lock on a file that is never renamed or removed while
 * the folder is there. It is held for the time of a few system calls, never
 * while waiting for a peer or for storage. Order where several are needed:
 * the user's lock first, then one folder's, never two folders'.
 */
#ifndef MAILBOX_FOLDER_H
#define MAILBOX_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "mailbox/disk.h"

struct folder {
	int dir;       /* the folder's directory */
	int sub[DIRS]; /* its new and cur, or -1 while not needed */
	int lock;      /* or -1 while not needed */
	int journal;   /* or -1: none seen yet */
	dev_t dev;     /* of the directory */
	ino_t ino;
	ino_t journal_ino;
	struct journal_head head;
	off_t end;	    /* of the records known to be valid */
	struct totals last; /* of the last of them */
	bool locked;
	bool replaced; /* set by folder_lock: the journal is another one */
	bool once; /* one change, then no more: unlocking may close the lock */
};

/* Opens NAME (on disk: "." or ".Name") under the directory STORE; neither
 * journal nor lock yet. ERR_NOT_FOUND, ERR_IO … */
int folder_open(int store, const char *name, struct folder *f);
void folder_close(struct folder *f);

/* Was the directory removed since it was opened? */
bool folder_is_gone(const struct folder *f);

/* Opens the directory `new` or `cur` if it is not open; -1 with errno. */
int folder_sub(struct folder *f, unsigned dir);

/* Opens the journal file that is there now. ERR_NOT_FOUND, ERR_CORRUPT. */
int folder_open_journal(struct folder *f);

/* Reads the last record, without a lock: f->last, and f->end if END. A tail
 * that does not check is ERR_BUSY: somebody may be writing. */
int folder_peek(struct folder *f);

/* Takes the lock, waiting at most FOLDER_LOCK_MS, opens the journal (again,
 * if another took its place), cuts a torn tail, and knows f->end and f->last.
 * ERR_BUSY; ERR_NOT_FOUND: there is no journal; ERR_CORRUPT: it is damaged
 * (in these two cases the lock IS held, to make a new one). */
#define FOLDER_LOCK_MS 10000
int folder_lock(struct folder *f);
void folder_unlock(struct folder *f);

/* Appends the records in B, the last of which has totals T. Under the lock.
 * On failure nothing is added. Not synced. */
int folder_write(struct folder *f, const struct buf *b, const struct totals *t);

/* Totals for a next record: f->last with the time of now. */
struct totals folder_next(const struct folder *f);

/* Syncs the journal. What a failed sync was to write counts as lost, though
 * the next one may succeed: so the journal is written anew then. That does
 * not make it a success. */
int folder_sync(struct folder *f);

/* May a record of TIME (microseconds) not be durable yet? Who wrote it synced
 * it, unless he died; the kernel writes within a minute. */
bool folder_fresh(int64_t time);

/* Modification times, now, of the directories whose bit is set in DIRS, in
 * nanoseconds. */
int folder_times(const struct folder *f, unsigned dirs, int64_t when[DIRS]);

/* After a change of our own to the directories: T's marks become the times
 * of now where BEFORE was what we had left; elsewhere a scan is due. */
void folder_keep_marks(const struct folder *f, unsigned dirs,
		       const int64_t before[DIRS], struct totals *t);

/* Puts a new journal with RECORDS in place of the present one, under the
 * lock: synced, its name too. The numbers in T are where it goes on. */
int folder_replace_journal(struct folder *f, uint32_t uidvalidity,
			   const struct buf *records, const struct totals *t);

/* Reads where numbering was before a loss. False: not known. */
bool folder_high_water(const struct folder *f, struct high_water *h);

#endif
