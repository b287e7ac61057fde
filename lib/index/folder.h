/*
 * One folder's directory and journal: locking, repair, appending records.
 * What mailbox, append and deliver have in common.
 *
 * The lock is an OFD lock on a file that we never rename or remove while
 * the folder is there. It is held for the time of a few system calls, never
 * while waiting for a peer; deliveries and flags wait for storage without it.
 * Only rare operations hold it over a sync: rewriting the journal, renaming
 * files after flag changes, writing numbers ahead (index/high-water.h). Order
 * if several are needed: the user's lock first, then one folder's, never two
 * folders'.
 */
#ifndef INDEX_FOLDER_H
#define INDEX_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/folder-id.h"
#include "index/disk.h"

/* Its fields are for lib/index; others use the functions. */
struct folder {
	int dir; /* the folder's directory */
	struct messages *files;
	int lock;    /* or -1 while not needed */
	int64_t lock_changed; /* its ctime when it was taken; us */
	bool lock_set;	      /* and its mtime was another */
	int journal; /* or -1: none seen yet */
	struct folder_id id;
	ino_t journal_ino;
	struct journal_head head;
	off_t end;	    /* of the records known to be valid */
	off_t room;	    /* bytes that the journal has on the disk */
	struct totals last; /* of the last of them */
	bool checked;	    /* against the note in the lock file */
	int64_t skew;	    /* of that note */
	bool apart;	    /* likewise */
	bool restored;	    /* that note is not what we left */
	bool regressed;	    /* the journal was cut, or is an older one, */
	uint32_t floor_uid; /* so the next numbers are these at least, */
	uint64_t floor_modseq;
	uint32_t lost_uid; /* and names may have UIDs from this one on */
	bool locked;
	int64_t taken; /* when the lock was, and when it was released, ms */
	int64_t released;
	int64_t held;  /* how long, while nobody else can have had it */
	bool replaced; /* set by folder_lock: the journal is another one */
};

/* Opens NAME (on disk: "." or ".Name") under the directory STORE, without
 * journal and lock, and its messages with OPENER, which gets MAKE.
 * ERR_NOT_FOUND, ERR_IO … */
int folder_open(int store, const char *name, messages_opener *opener, bool make,
		struct folder *f) MUST_CHECK;
void folder_close(struct folder *f);

/* The folder's directory, where others may have files of their own. */
static inline int folder_dir(const struct folder *f)
{
	return f->dir;
}

static inline struct messages *folder_messages(const struct folder *f)
{
	return f->files;
}

static inline struct folder_id folder_id(const struct folder *f)
{
	return f->id;
}

/* These three are known once the journal is open. The last record's totals; */
static inline const struct totals *folder_last(const struct folder *f)
{
	return &f->last;
}

static inline uint32_t folder_uidvalidity(const struct folder *f)
{
	return f->head.uidvalidity;
}

/* and, under the lock, the place of the next record. */
static inline off_t folder_end(const struct folder *f)
{
	return f->end;
}

static inline bool folder_is_locked(const struct folder *f)
{
	return f->locked;
}

/* Was the directory removed since it was opened? */
bool folder_is_gone(const struct folder *f);

/* Opens the journal file that is there now. ERR_NOT_FOUND, ERR_CORRUPT. */
int folder_open_journal(struct folder *f) MUST_CHECK;

/* Opens the journal that is there now and reads its last record into f->last,
 * without a lock. As folder_open_journal; a tail that fails its check is
 * ERR_BUSY: somebody may be writing. */
int folder_peek(struct folder *f) MUST_CHECK;

/* Takes the lock, waiting at most FOLDER_LOCK_MS, opens the journal (again,
 * if another took its place), cuts a torn tail, and sets f->end and f->last.
 * ERR_BUSY; ERR_NOT_FOUND: there is no journal; ERR_CORRUPT: it is damaged
 * (in these two cases the lock IS held, to make a new one). Who had it for long
 * and wants it again at once first lets others have it. */
#define FOLDER_LOCK_MS 10000
int folder_lock(struct folder *f) MUST_CHECK;
void folder_unlock(struct folder *f);

/* Appends the records in B, the last of which has totals T. Under the lock.
 * On failure nothing is added. Not synced. The journal reserves some disk
 * space; with NEEDED that may be used when the disk is full, so that flags can
 * be set and messages removed. */
int folder_write(struct folder *f, const struct buf *b, const struct totals *t,
		 bool needed) MUST_CHECK;

/* Ensures room for N bytes of records that need none of what is reserved, so
 * that what they are to say may be done first. Under the lock. ERR_NO_SPACE … */
int folder_keep_room(struct folder *f, size_t n) MUST_CHECK;

/* Totals for a next record: f->last with the time of now. */
struct totals folder_next(const struct folder *f);

/* Syncs the journal. What a failed sync was to write counts as lost, though
 * the next one may succeed: so the journal is then written anew, and the
 * failure is still reported. */
int folder_sync(struct folder *f) MUST_CHECK;

/* Begins to write the journal out, so that the sync of another file and then that
 * of the journal share one commit of the file system. Promises nothing. */
void folder_write_out(struct folder *f);

/* Syncs the file system that the journal and the folder's directory are on. */
int folder_sync_all(struct folder *f) MUST_CHECK;

/* Marks the record at RECORD: its messages are durable. If the mark is not
 * written, they are examined again. */
void folder_make_sure(struct folder *f, off_t record);

/* May a record of TIME (microseconds) not be durable yet? Its writer synced
 * it, unless it died; the kernel writes within a minute. */
bool folder_fresh(int64_t time);

/* Replaces the journal by a new one with RECORDS, under the lock; its content
 * and name are synced. Numbering goes on from T. */
int folder_replace_journal(struct folder *f, uint32_t uidvalidity,
			   const struct buf *records,
			   const struct totals *t) MUST_CHECK;

#endif
