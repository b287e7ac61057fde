/* The internals of an open folder. */
#ifndef MAILBOX_OPENED_H
#define MAILBOX_OPENED_H

#include "index/index.h"
#include "mailbox/attached.h"
#include "mailbox/finder.h"
#include "mailbox/mailbox.h"
#include "mailbox/removal.h"
#include "mailbox/signing.h"

/* What is known of the signatures; see signing.c. */
struct signing {
	bool wanted; /* somebody searches here */
	bool failed; /* they cannot be written */
	bool poor;   /* most of the file is of no use */
	uint32_t maker; /* signature_maker */
	ino_t ino;   /* the file as it was read, up to */
	off_t end;   /* here */
	struct buf lacking; /* UIDs of messages without one, ascending, */
	size_t next;	    /* the next of them, in bytes; */
	uint32_t upto;	    /* those above it have none either */
};

struct mailbox {
	struct store *store;
	struct index x;
	uint32_t shown; /* messages that the caller knows about */
	uint64_t reported; /* as mailbox_reported */
	uint64_t looked; /* the same, but for what waits to leave the table */
	uint32_t nrecent;
	uint32_t claimed;     /* \Recent: those above, or with ENTRY_RECENT, */
	uint32_t recent_from; /* which none below this UID has; 0: none */
	int64_t opened; /* when, in seconds since 1970 */
	bool read_only;
	bool edited; /* as mailbox_found_edited */
	bool unclaimed; /* while it is opened: see mailbox_open_unclaimed */
	bool dirty; /* some entry has ENTRY_DIRTY or ENTRY_CACHED */
	struct mailbox_changes changes;
	size_t changes_room;
	struct buf text;  /* of the current message */
	struct buf facts; /* the entry made from it */
	struct buf sizes; /* struct record_size, not yet written */
	struct removal removal;
	unsigned dropped; /* flags that copies do not keep */
	bool drop_keywords;
	struct signing signing;
	struct attached attached;
	struct finder moved; /* used while a scan finds no room for records */
	uint32_t right_uid; /* its file was written to, and is as recorded, */
	int64_t right_at;   /* as long as it has this ctime */
};

/* Examines all messages noted: those that a power cut left without content
 * are withdrawn, the others made durable. True: no record is left that is not
 * sure. Otherwise m->suspect may say that a scan must look first. */
bool mailbox_prove(struct mailbox *m);

/* Reads the Maildir if its times have changed, or always if m->suspect. */
int mailbox_scan(struct mailbox *m);

/* Opens UID's file as *FD, which is -1 on failure. A scan finds one that others
 * have moved; one that is not as recorded becomes a new message. */
int mailbox_open_file(struct mailbox *m, uint32_t uid, int *fd) MUST_CHECK;

/* Was something written WHEN (seconds since 1970) in the last SECONDS? */
bool mailbox_written_lately(int64_t when, int seconds);

/* The file of UID, open as FD, is not what was recorded: it differs in size
 * or, with WRONG, in content; another program wrote to it. A UID's content
 * never changes, so the message as it is now gets a new UID. Waits a few
 * seconds while it is still being written, then ERR_TEMP. ERR_NOT_FOUND when
 * it is done. */
int mailbox_restate(struct mailbox *m, uint32_t uid, int fd,
		    bool wrong) MUST_CHECK;

/* Does E's file FD, which has the right size, hold something else than was
 * recorded? It is read only if it was written to since. */
struct stat;
bool mailbox_is_edited(struct mailbox *m, const struct entry *e, int fd,
		       const struct stat *st);

/* Does E's file FD say what the cache does, if that has E? */
bool mailbox_is_as_cached(struct mailbox *m, const struct entry *e, int fd);

/* Did another program write to E's file, so that no session has seen its
 * content? That is so if its size or content differs, or if it was written to
 * while this session had the folder open, and its content is not known. *SIZE
 * is its size now. */
bool mailbox_is_restated(struct mailbox *m, const struct entry *e,
			 uint32_t *size);

/* Records that E's file, which now has SIZE, is a new message. */
void mailbox_put_anew(struct mailbox *m, struct batch *b, const struct entry *e,
		      uint32_t size);

/* mailbox_expunge of messages that were moved. LINKED[N]: the file is also in
 * the other folder, whatever was written to it. DONE[N] gets which were removed
 * by this call, and not by another session before. */
int mailbox_expunge_moved(struct mailbox *m, const uint32_t *seq, size_t n,
			  const bool *linked, bool *done) MUST_CHECK;

/* Which message of the store E is. False: the snapshot is wrong. */
bool mailbox_ref(const struct mailbox *m, const struct entry *e,
		 struct message_ref *r);

/* cached_write: to be called before places in the cache are recorded. */
void mailbox_write_cache(struct mailbox *m);

/* Writes the sizes that were found by reading. If that fails they are only
 * found again. */
void mailbox_write_sizes(struct mailbox *m);

/* E's message, or its header alone, as it is on disk, appended to B. */
int mailbox_raw(struct mailbox *m, const struct entry *e, bool whole,
		struct buf *b);

/* cached_put: ENTRY is a new one for E. */
void mailbox_keep_cached(struct mailbox *m, struct entry *e,
			 const struct buf *entry);

/* mailbox_open that leaves \Recent of new messages to the next refresh, which
 * shows them. */
int mailbox_open_unclaimed(struct store *s, const char *name, bool read_only,
			   struct mailbox **m) MUST_CHECK;

/* Counts those with \Recent among what is shown. */
void mailbox_count_recent(struct mailbox *m);

/* The entry at SEQ, or NULL. */
struct entry *mailbox_entry(const struct mailbox *m, uint32_t seq);

#endif
