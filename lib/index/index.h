/*
 * The index of one folder: what is known of its messages, as a log that every
 * change is appended to (posthorn-mailbox(5)). Here it is for one session: the
 * table that the log makes, and how far it is read.
 *
 * Nothing here looks at a message. What the log says of them may have been
 * ended by a power cut: see `unsure`.
 */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "index/batch.h"
#include "index/folder.h"
#include "index/table.h"
#include "messages/content.h"

struct index {
	struct folder f;
	struct table t;
	off_t read;	 /* the journal is applied up to here */
	off_t last;	 /* the last record that was applied, 0: none */
	int64_t written; /* its mtime when it was last looked at, ns */
	off_t snapshot;	 /* the snapshot holds what is before, 0: none */
	bool behind;	 /* the journal was replaced, and not yet followed */
	bool suspect;	 /* something was not where it should be: scan */
	bool recover;	 /* the journal was lost: take UIDs from names */
	bool unsynced;	 /* records were read or written, perhaps not synced */
	bool renumbered; /* new UIDVALIDITY: nothing more can be done here */
	struct buf unsure; /* struct unsure, in the journal's order */
	/* A UIDVALIDITY that no folder of this user ever had. Called without
	 * the lock. */
	int (*next_validity)(void *context, uint32_t *validity);
	void *context;
};

/* A message whose record is not sure (disk.h). */
struct unsure {
	uint32_t uid;
	uint32_t content; /* its checksum, */
	bool known;	  /* if the record has it */
	int64_t record;	  /* where its record begins */
	int64_t saved;
	enum content what;
};

/* An empty one, and its end; x->f is the caller's to open. */
void index_init(struct index *x);
void index_free(struct index *x);

/* Loads snapshot and journal of the open folder, making or mending the
 * journal if need be. */
int index_load(struct index *x) MUST_CHECK;

/* Sees what others did: follows the journal, be it replaced or removed. */
int index_look(struct index *x) MUST_CHECK;

/* Applies what was appended to the journal since. OWN: by this session. */
int index_catch_up(struct index *x, bool own) MUST_CHECK;

/* Locks the folder and applies all others' records. On ERR_OK changes may be
 * written; end with index_unlock. ERR_CORRUPT: renumbered. */
int index_lock(struct index *x) MUST_CHECK;
void index_unlock(struct index *x);

/* Ends a batch that was begun under the lock: writes, applies. OWN: not to be
 * told by the next refresh. */
int index_commit(struct index *x, struct batch *b, bool own) MUST_CHECK;

/* Syncs the journal if a UID or mod-sequence in it may not be durable: before
 * clients are told, be the record ours or another's. */
int index_sync(struct index *x) MUST_CHECK;

/* Is it time for a snapshot, or for a journal without what is past? Then,
 * when nothing is left that is not sure, for making it; if that fails the old
 * one goes on. */
bool index_snapshot_is_due(const struct index *x);
void index_snapshot(struct index *x);
bool index_rotation_is_due(const struct index *x);
void index_rotate(struct index *x);

/* The checksum of UID's content into *CRC, if the journal has it still. Reads
 * all of it. */
bool index_content(const struct index *x, uint32_t uid, uint32_t *crc);

/* The rest is for the files of lib/index. */

/* A journal that holds the state and its history, in place of the present
 * one, under the lock; also if the journal's name is gone. */
int index_write_anew(struct index *x) MUST_CHECK;

/* Notes the messages that R, at AT, adds, if it is not sure. Those without a
 * checksum may be so for ever, in journals of before: only fresh ones. */
void index_note_unsure(struct index *x, const struct record *r, off_t at);

/* Puts the whole state into B (gathering), with KEY[i] of each entry if not
 * NULL. */
void index_state(struct index *x, struct batch *b, const uint64_t *key);

/* Loads the snapshot into an empty table. False: none that fits. */
bool index_snapshot_load(struct index *x);

#endif
