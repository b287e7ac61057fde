/* An open folder, from inside. */
#ifndef MAILBOX_SESSION_H
#define MAILBOX_SESSION_H

#include "mailbox/batch.h"
#include "mailbox/folder.h"
#include "mailbox/mailbox.h"
#include "mailbox/table.h"

struct mailbox {
	struct store *store;
	struct folder f;
	struct table t;
	off_t read;	/* the journal is applied up to here */
	uint32_t shown; /* messages that the caller knows of */
	uint32_t nrecent;
	uint32_t claimed; /* \Recent: those above, or with ENTRY_RECENT, */
	uint32_t recent_from; /* which none below this UID has; 0: none has */
	bool read_only;
	bool suspect;	 /* something was not where it should be: scan */
	bool recover;	 /* the journal was lost: take UIDs from names */
	bool unsynced;	 /* records were read or written, perhaps not synced */
	bool renumbered; /* new UIDVALIDITY: nothing more can be done here */
	bool dirty;	 /* some entry has ENTRY_DIRTY or ENTRY_CACHED */
	off_t snapshot;	 /* the snapshot holds what is before, 0: none */
	struct mailbox_changes changes;
	size_t changes_room;
	struct buf window; /* of the cache, from window_at on */
	uint64_t window_at;
	struct buf text;  /* of the message at hand */
	struct buf facts; /* the entry made of it */
	int cache;	 /* or -1 */
	struct buf made; /* entries for the cache, not yet written */
	struct buf made_uids;
	struct buf sizes; /* struct record_size, not yet written */
};

/* Applies what was appended to the journal since. OWN: by this session. */
int session_catch_up(struct mailbox *m, bool own);

/* Locks the folder and applies all others' records. On ERR_OK changes may be
 * written; end with session_unlock. */
int session_lock(struct mailbox *m);
void session_unlock(struct mailbox *m);

/* Ends a batch that was begun under the lock: writes, applies. OWN: not to be
 * told by the next refresh. */
int session_commit(struct mailbox *m, struct batch *b, bool own);

/* Syncs the journal if a UID or mod-sequence in it may not be durable: before
 * clients are told, be the record ours or another's. */
int session_sync(struct mailbox *m);

/* Loads journal and snapshot of an open folder, making or mending the
 * journal if need be. */
int session_load(struct mailbox *m);

/* Looks at the Maildir if its times say so, or always if m->suspect. */
int session_scan(struct mailbox *m);

/* Puts the whole state into B (gathering), with KEY[i] of each entry if not
 * NULL. */
void session_state(struct mailbox *m, struct batch *b, const uint64_t *key);

/* The snapshot: load into an empty table (false: none that fits), and write
 * if enough happened since. */
bool snapshot_load(struct mailbox *m);
void snapshot_write(struct mailbox *m);

/* Puts a journal without what is past in place of a long one. */
void session_rotate(struct mailbox *m);

/* Removes E's file, wherever it is now. */
void session_unlink(struct mailbox *m, const struct entry *e);

/* What the file of E is called now. False: the snapshot lied. */
bool session_file_name(const struct mailbox *m, const struct entry *e,
		       char out[256]);

/* Writes the cache anew if most of it is of messages that are gone. */
void session_pack_cache(struct mailbox *m);

/* Appends to the cache what was made for it since: before E->cache of any
 * entry is written to a file. */
void session_write_cache(struct mailbox *m);

/* Writes the sizes that were found by reading. If that fails they are found
 * again, nothing else. */
void session_write_sizes(struct mailbox *m);

/* E's message, or its header alone, as it is on disk, appended to B. */
int session_raw(struct mailbox *m, const struct entry *e, bool whole,
		struct buf *b);

/* Forgets the open cache file: another took its place. */
void session_drop_cache(struct mailbox *m);

/* Appends E's entry of the cache to B, if there is one. */
void session_cached(struct mailbox *m, const struct entry *e, struct buf *b);

/* The entry at SEQ, or NULL. */
struct entry *session_entry(const struct mailbox *m, uint32_t seq);

#endif
