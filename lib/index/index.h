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
#include "index/journal.h"
#include "index/table.h"
#include "messages/content.h"

/* Its fields are for lib/index; others use the functions. */
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
	int (*next_validity)(void *context, uint32_t *validity);
	void *context; /* index_number_by */
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

/* Begins an empty one. */
void index_init(struct index *x);

/* folder_open for X; messages with OPENER. */
int index_open(struct index *x, int store, const char *name,
	       messages_opener *opener, bool make) MUST_CHECK;

/* For a journal that has to be made: gives a UIDVALIDITY that no folder of this
 * user ever had. Called without the lock. */
typedef int index_validity(void *context, uint32_t *validity);
void index_number_by(struct index *x, index_validity *next, void *context);

/* Closes the folder, and frees X. */
void index_close(struct index *x);

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

/* Was the folder numbered anew, so that nothing more can be done here? */
static inline bool index_is_renumbered(const struct index *x)
{
	return x->renumbered;
}

/* Is that so? If a part of the snapshot was lost (parts.h),
 * the next session does without it. */
bool index_is_over(struct index *x);

/* Begins a batch (batch_begin); under the lock. */
static inline void index_begin(struct index *x, struct batch *b, bool change)
{
	batch_begin(b, &x->f, change);
}

/* folder_keep_room. */
static inline int index_keep_room(struct index *x, size_t n)
{
	return folder_keep_room(&x->f, n);
}

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

/* What is known of the folder as a whole. The totals are those of the last record
 * that was read. */
static inline struct messages *index_messages(const struct index *x)
{
	return x->f.files;
}

static inline int index_dir(const struct index *x)
{
	return x->f.dir;
}

static inline struct folder_id index_id(const struct index *x)
{
	return x->f.id;
}

static inline uint32_t index_uidvalidity(const struct index *x)
{
	return x->f.head.uidvalidity;
}

static inline const struct totals *index_totals(const struct index *x)
{
	return &x->f.last;
}

/* The messages, in UID order: those that are gone too, until they are taken out.
 * There are index_count of them. An entry stays where it is until the next call
 * that reads or writes the journal, or takes out. A table that is walked costs no
 * call for each message. */
static inline uint32_t index_count(const struct index *x)
{
	return x->t.n;
}

/* That at I, below index_count. */
static inline struct entry *index_at(const struct index *x, uint32_t i)
{
	return entries_at(&x->t, i);
}

/* Where E is. */
static inline uint32_t index_of(const struct index *x, const struct entry *e)
{
	return (uint32_t)(e - x->t.memory);
}

/* The next from *I on that is not gone, or NULL; *I moves behind it. */
static inline struct entry *index_next(const struct index *x, uint32_t *i)
{
	return entries_next(&x->t, i);
}

/* The first from I on, or index_count, that may be of KIND. */
static inline uint32_t index_skip(const struct index *x, uint32_t i,
				  enum entries_kind kind)
{
	return entries_skip(&x->t, i, kind);
}

/* The first with UID or higher, or index_count. */
static inline uint32_t index_find(const struct index *x, uint32_t uid)
{
	return entries_find(&x->t, uid);
}

/* That of UID, or NULL. */
static inline struct entry *index_get(struct index *x, uint32_t uid)
{
	return entries_get(&x->t, uid);
}

/* E's base name, e->nname bytes; NULL: the snapshot is wrong. */
static inline const char *index_name(const struct index *x,
				     const struct entry *e)
{
	return entries_name(&x->t, e);
}

/* Keyword I (0 up), or NULL beyond the last, which is index_keywords - 1. */
static inline unsigned index_keywords(const struct index *x)
{
	return x->t.nkeywords;
}

static inline const char *index_keyword(const struct index *x, unsigned i)
{
	return i < x->t.nkeywords ? x->t.keyword[i] : NULL;
}

/* How many are gone; none is before the index that the second gives. */
static inline uint32_t index_gone(const struct index *x)
{
	return x->t.gone;
}

static inline uint32_t index_first_gone(const struct index *x)
{
	return x->t.gone ? x->t.first_gone : x->t.n;
}

static inline void index_mark_gone(struct index *x, uint32_t i)
{
	entries_mark_gone(&x->t, i);
}

/* entries_take_out, entries_put_gone; ERR_LIMIT: no memory. */
static inline void index_take_out(struct index *x, entries_taken *taken,
				  void *context)
{
	entries_take_out(&x->t, taken, context);
}
int index_put_gone(struct index *x, const struct record_range *r, size_t n,
		   uint32_t gone, uint64_t modseq) MUST_CHECK;

/* E gets ENTRY_CHANGED. */
static inline void index_mark_changed(struct index *x, struct entry *e)
{
	e->state |= ENTRY_CHANGED;
	x->t.changed = true;
}

/* Can there be an entry with ENTRY_CHANGED, new keywords, since this was last
 * asked? */
bool index_take_changed(struct index *x);
bool index_take_new_keywords(struct index *x);

/* Is something not where the index says, so that all places are to be read? It is
 * found when a journal was lost or cut, or said by index_suspect; until
 * index_trust. */
static inline bool index_is_suspect(const struct index *x)
{
	return x->suspect;
}

static inline void index_suspect(struct index *x)
{
	x->suspect = true;
}

/* The journal is one from before: expunges may not be in it. */
static inline bool index_is_regressed(const struct index *x)
{
	return x->f.regressed;
}

/* The journal was lost: only names of files say which UIDs there were. */
static inline bool index_is_recovering(const struct index *x)
{
	return x->recover;
}

/* Was UID, which a name says, perhaps given out by a journal that is lost, or by
 * the lost end of this one? */
static inline bool index_may_have_lost(const struct index *x, uint32_t uid)
{
	return x->recover || (x->f.regressed && uid >= x->f.lost_uid);
}

void index_trust(struct index *x);

/* Takes the messages whose records are not sure, as struct unsure, in their
 * order; OUT is made anew. What is still not sure after a look is put back. */
void index_take_unsure(struct index *x, struct buf *out);
void index_put_unsure(struct index *x, const struct unsure *u);

/* Forgets those whose records others have made sure. True: none is left. */
bool index_drop_sure(struct index *x);

/* Is the record at RECORD sure? */
bool index_is_sure(const struct index *x, int64_t record);

/* Makes the journal durable, and then marks the N records at RECORD, whose
 * messages are. If that fails they are not sure. */
void index_make_sure(struct index *x, const int64_t *record, size_t n);

/* A place in the journal; without meaning in one that replaced it. */
struct index_point {
	uint64_t journal;
	off_t end;
};

/* After the last record; under the lock. */
struct index_point index_end(const struct index *x);

/* Is P in the journal that is there, and did nobody begin an expunge behind it?
 * Under the lock. */
bool index_expunged_last(const struct index *x, const struct index_point *p);

/* Begins to read the journal from its first record. */
void index_walk(const struct index *x, struct journal_walk *w);

/* history_since, as far as this session has read. */
bool index_history(const struct index *x, uint64_t since, struct buf *ranges);

/* The rest is for the files of lib/index. */
void index_free(struct index *x);

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
