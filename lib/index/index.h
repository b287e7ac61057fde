/*
 * The index of one folder: what is known about its messages, as a log to which
 * every change is appended (posthorn-mailbox(5)). This is one session's view:
 * the table that the log makes, and how far it has been read.
 *
 * Nothing here looks at a message. A power cut may have interrupted what the
 * log says about it: see `unsure`.
 */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "index/batch.h"
#include "index/cached.h"
#include "index/contents.h"
#include "index/folder.h"
#include "index/table.h"
#include "messages/content.h"

struct index {
	struct folder f;
	struct table t;
	off_t read;	 /* the journal is applied up to here */
	off_t last;	 /* the last record that was applied, 0: none */
	int64_t written; /* its mtime when it was last looked at, ns */
	off_t snapshot;	 /* the snapshot covers up to here, 0: none */
	bool behind;	 /* the journal was replaced, and not yet followed */
	bool suspect;	 /* something is not where it should be: scan */
	bool recover;	 /* the journal was lost: take UIDs from names */
	bool unsynced;	 /* records were read or written, perhaps not synced */
	bool renumbered; /* new UIDVALIDITY: nothing more can be done here */
	struct buf unsure; /* struct unsure, in the journal's order */
	struct contents contents;
	struct cached cached;
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
	int64_t ours;	  /* record_last_write */
	int64_t record;	  /* where its record begins */
	int64_t saved;
	enum content what;
};

/* Begins an empty one, and frees it; the caller opens x->f. */
void index_init(struct index *x);
void index_free(struct index *x);

/* Loads snapshot and journal of the open folder, making or mending the
 * journal if need be. */
int index_load(struct index *x) MUST_CHECK;

/* Sees what others did: follows the journal even if replaced or removed. */
int index_look(struct index *x) MUST_CHECK;

/* Applies what was appended to the journal since. OWN: by this session. */
int index_catch_up(struct index *x, bool own) MUST_CHECK;

/* Locks the folder and applies all others' records. On ERR_OK changes may be
 * written; end with index_unlock. ERR_CORRUPT: renumbered. */
int index_lock(struct index *x) MUST_CHECK;
void index_unlock(struct index *x);

/* Can nothing more be done here? If a part of the snapshot was lost (parts.h),
 * the next session does without it. */
bool index_is_over(struct index *x);

/* Ends a batch that was begun under the lock: writes and applies it. OWN: the
 * next refresh does not report it. */
int index_commit(struct index *x, struct batch *b, bool own) MUST_CHECK;

/* Syncs the journal if a UID or mod-sequence in it may not be durable: before
 * clients are told, whoever wrote the record. */
int index_sync(struct index *x) MUST_CHECK;

/* Is a snapshot due, or a new journal without history? They are made once all
 * records are sure; if that fails the old one stays in use. */
bool index_snapshot_is_due(const struct index *x);
void index_snapshot(struct index *x);
bool index_rotation_is_due(const struct index *x);
void index_rotate(struct index *x);

/* Puts the checksum of UID's content into *CRC; ERR_NOT_FOUND: the journal does
 * not have it. The first call reads the whole journal. */
int index_content(struct index *x, uint32_t uid, uint32_t *crc) MUST_CHECK;

/* The rest is for the files of lib/index. */

/* Replaces the journal by one with the state and its history, under the lock;
 * also if the journal's name is gone. */
int index_write_anew(struct index *x) MUST_CHECK;

/* Gives the journal, which is to be replaced, a further name, which is put into
 * ASIDE: whoever looks into a damage needs it. Under the lock; ERR_OK also if
 * there is none. */
#define INDEX_ASIDE_SIZE 64
int index_keep_damaged(struct index *x, char aside[INDEX_ASIDE_SIZE])
	MUST_CHECK;

/* Notes the messages that R, at AT, adds, if it is not sure. In journals of
 * former versions, without checksums, they may stay so for ever: there only
 * recent ones are noted. */
void index_note_unsure(struct index *x, const struct record *r, off_t at);

/* Puts the whole state into B (gathering), with the KEY[i] of each entry
 * unless KEY is NULL. If the journal, which has the checksums, cannot be read,
 * B must not take its place. */
int index_state(struct index *x, struct batch *b,
		const uint64_t *key) MUST_CHECK;

/* Loads the snapshot into an empty table. False: there is no valid one. */
bool index_snapshot_load(struct index *x);

#endif
