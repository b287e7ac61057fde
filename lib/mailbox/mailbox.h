/*
 * One folder, open: its messages with their flags, read, changed, removed.
 *
 * The messages are a table in UID order; place SEQ (from 1) is the sequence
 * number of IMAP. The table changes in mailbox_refresh only, in three ways:
 * messages are added at its end, flags change, and (if the caller allows)
 * messages that are gone leave it. So sequence numbers hold between two
 * refreshes, however many others write. Every other call sees others'
 * changes of flags, but keeps numbers, and the next refresh reports what it
 * saw. A message that another session expunged stays in the table, with
 * `gone` set, until a refresh may take it out.
 *
 * Any UID that a call here gives is on stable storage.
 *
 * Calls give a code of base/err.h. ERR_NO_SPACE and ERR_IO leave everything
 * as it was. ERR_CORRUPT: the folder had to be renumbered or was replaced
 * (new UIDVALIDITY): the caller must close it.
 */
#ifndef MAILBOX_MAILBOX_H
#define MAILBOX_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/folder-id.h"
#include "index/cache.h"
#include "mailbox/store.h"
#include "messages/flags.h"

struct mailbox_message {
	uint32_t uid;
	unsigned flags;	   /* of enum mailbox_flag */
	uint64_t keywords; /* bit i: mailbox_keyword(m, i) */
	uint64_t modseq;
	int64_t received; /* INTERNALDATE, seconds since 1970 */
	int64_t saved;	  /* when it came into this folder */
	uint32_t size;	  /* with CRLF line ends; 0: ask mailbox_size */
	bool recent;	  /* \Recent for this session */
	bool gone;	  /* expunged by another session */
};

struct mailbox;

/* Opens folder NAME of S, which must outlive it. READ_ONLY leaves \Recent to
 * others and refuses changes (ERR_DENIED). ERR_NOT_FOUND, ERR_BUSY. */
int mailbox_open(struct store *s, const char *name, bool read_only,
		 struct mailbox **m) MUST_CHECK;

/* Brings the names of files up to date with the flags, and closes. */
void mailbox_close(struct mailbox **m);

uint32_t mailbox_uidvalidity(const struct mailbox *m);
uint32_t mailbox_uidnext(const struct mailbox *m);
uint64_t mailbox_highestmodseq(const struct mailbox *m);
/* All changes up to this mod-sequence were reported: those that this session
 * made, and those of others by refreshes. Never lower than before. */
uint64_t mailbox_reported(const struct mailbox *m);
uint32_t mailbox_count(const struct mailbox *m);
uint32_t mailbox_recent(const struct mailbox *m); /* number with \Recent */

/* The place of the first message without \Seen, or 0. */
uint32_t mailbox_first_unseen(const struct mailbox *m);

/* The folder's id for other programs (client/feed.h). The caller reports
 * changes to the feed after each call here that changed something. */
struct folder_id mailbox_id(const struct mailbox *m);

/* Was it found, since the last call of this, that another program had written
 * to a message's file? It has a new UID then, which only the journal says: the
 * caller reports that, too, since no directory has changed. */
bool mailbox_found_edited(struct mailbox *m);

/* What stands for the folder in feed_watch; it stays the mailbox's. */
struct folder_token mailbox_token(const struct mailbox *m);

/* The message at SEQ, 1 to mailbox_count. */
struct mailbox_message mailbox_get(const struct mailbox *m, uint32_t seq);
uint32_t mailbox_uid(const struct mailbox *m, uint32_t seq);
/* The base name of its file, without flags, *N bytes, until the next refresh;
 * NULL if it is not known. */
const char *mailbox_base(const struct mailbox *m, uint32_t seq, size_t *n);
/* The place of the first message whose UID is UID or higher; count + 1 if
 * there is none. O(log count). */
uint32_t mailbox_from(const struct mailbox *m, uint32_t uid);
/* That of the message UID; 0 if it is not there. */
uint32_t mailbox_find(const struct mailbox *m, uint32_t uid);

/* Keyword I of the folder (0 up), or NULL beyond the last. */
const char *mailbox_keyword(const struct mailbox *m, unsigned i);
/* The bit of keyword NAME (ASCII case folded). With CREATE it is added to
 * the folder. ERR_OK, ERR_NOT_FOUND, ERR_LIMIT, ERR_SYNTAX (no atom). */
int mailbox_keyword_bit(struct mailbox *m, const char *name, bool create,
			uint64_t *bit);

/* What a refresh found. Arrays live until the next refresh. */
struct mailbox_changes {
	/* Sequence numbers for untagged EXPUNGE, in the order to send, each
	 * counted after those before it were removed; with their UIDs. */
	uint32_t *expunged;
	uint32_t *expunged_uid;
	size_t nexpunged;
	/* Sequence numbers (after the expunges) whose flags changed. */
	uint32_t *flagged;
	size_t nflagged;
	bool new_messages; /* count or recent grew: send EXISTS, RECENT */
	bool new_keywords; /* send FLAGS again */
};

struct mailbox_range {
	uint32_t first;
	uint32_t last;
};

/* Appends struct mailbox_range to RANGES, ascending and apart: the UIDs below
 * mailbox_uidnext that are not in the table, if they were expunged after the
 * mod-sequence SINCE; or all of them, if it is not known any more what was
 * expunged so long ago. */
void mailbox_vanished(const struct mailbox *m, uint64_t since,
		      struct buf *ranges);

/* Sees what others did: reads on in the journal, and reads the Maildir if
 * a directory's time changed. With MAY_EXPUNGE messages that are gone leave
 * the table (never during FETCH, STORE, SEARCH: RFC 3501 section 7.4.1).
 * When nothing happened it costs three system calls. */
int mailbox_refresh(struct mailbox *m, bool may_expunge,
		    const struct mailbox_changes **c) MUST_CHECK;

enum mailbox_store_how { MAILBOX_SET, MAILBOX_ADD, MAILBOX_REMOVE };

/* Changes flags of the messages at SEQ[N] (ascending). Only those whose
 * modseq is at most UNCHANGED_SINCE change (UINT64_MAX: all); FAILED[N] (may
 * be NULL) says which did not. The next refresh does not report it: the caller
 * answers its own STORE. Durable before the return. */
int mailbox_store(struct mailbox *m, const uint32_t *seq, size_t n,
		  enum mailbox_store_how how, unsigned flags, uint64_t keywords,
		  uint64_t unchanged_since, bool *failed) MUST_CHECK;

/* Removes the messages at SEQ[N] (ascending), or with DELETED_ONLY those of
 * them with \Deleted, for good; if there are very many, some of their files
 * are removed later, which nobody sees. They leave the table in the next
 * refresh that may expunge, which also reports them. A file that another
 * program wrote to, so that no session has seen its content, stays, as a new
 * message. */
int mailbox_expunge(struct mailbox *m, const uint32_t *seq, size_t n,
		    bool deleted_only) MUST_CHECK;

/* Copies that are made from now on keep these FLAGS only, and keywords only if
 * KEYWORDS; at first all. */
void mailbox_keep_flags(struct mailbox *m, unsigned flags, bool keywords);

/* Copies the messages at SEQ[N] (ascending) to the folder TO of the same
 * store, with flags, keywords and dates: all or none. UID[N] gets their new
 * UIDs, *UIDVALIDITY that of TO; *ID names TO.
 * ERR_NOT_FOUND: no such folder; with *UIDVALIDITY set: a message is gone.
 * With MOVE they are then removed here as by mailbox_expunge (RFC 6851). Those
 * that another session removed meanwhile are not moved: their UID is 0, and
 * if that is so for all the error is ERR_NOT_FOUND. */
int mailbox_copy(struct mailbox *m, const uint32_t *seq, size_t n,
		 const char *to, bool move, uint32_t *uid,
		 uint32_t *uidvalidity, struct folder_id *id) MUST_CHECK;

/* The size with CRLF line ends: known, or found by reading the message. */
int mailbox_size(struct mailbox *m, uint32_t seq, uint32_t *size);

/* Reading a message as it is sent: with CRLF line ends. */
struct mailbox_reader;
/* ERR_NOT_FOUND: the message is gone. *SIZE: how many bytes will come. */
int mailbox_read_open(struct mailbox *m, uint32_t seq,
		      struct mailbox_reader **r, uint32_t *size) MUST_CHECK;
/* The next bytes, at most SIZE; *N is 0 at the end. ERR_NOT_FOUND, ERR_TEMP:
 * another program wrote to the file meanwhile, and the promised number of
 * bytes does not come: the connection cannot go on. */
int mailbox_read(struct mailbox_reader *r, char *data, size_t size,
		 size_t *n) MUST_CHECK;
void mailbox_read_close(struct mailbox_reader **r);

/* The whole message appended to B (which bounds it: ERR_TOO_LONG). */
int mailbox_text(struct mailbox *m, uint32_t seq, struct buf *b);
/* The same as it is stored: line ends may be LF alone. */
int mailbox_stored(struct mailbox *m, uint32_t seq, struct buf *b);
/* Its header, with the empty line that ends it, appended to B: reads only this
 * part of the message. */
int mailbox_header(struct mailbox *m, uint32_t seq, struct buf *b);

/* STRUCTURE: BODY and BODYSTRUCTURE are wanted, for which the whole message
 * has to be read if they are not known. ERR_OK; ERR_NOT_FOUND if the message is
 * gone; ERR_TOO_LONG if its header is too long for the cache; ERR_IO and the
 * like if its file had to be read and could not be. */
int mailbox_facts(struct mailbox *m, uint32_t seq, bool structure,
		  struct mailbox_facts *f);

/* What identifies the content of the message at SEQ, for OBJECTID (RFC 8474):
 * the same for each copy of it, and for no other message. Reads the message,
 * unless the cache knows. ERR_NOT_FOUND, ERR_IO and the like. */
#define MAILBOX_EMAIL_ID_SIZE 42
int mailbox_email_id(struct mailbox *m, uint32_t seq,
		     char id[MAILBOX_EMAIL_ID_SIZE]) MUST_CHECK;

/* For processes that cannot open files later. */
void mailbox_email_id_preload(void);

/* An idle moment: writes changed flags into file names, removes files of
 * expunged messages, and makes a new snapshot if it is due. Call it when
 * nothing was asked for a second or so, at most a few seconds after a change;
 * and once more, unless a request came, while it gives true. mailbox_close does
 * all that is left. */
bool mailbox_settle(struct mailbox *m);

/* Are there still files of expunged messages, which mailbox_close removes? With
 * very many that takes longer than a client waits for an answer. */
bool mailbox_is_removing(const struct mailbox *m);

#endif
