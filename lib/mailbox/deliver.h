/*
 * Delivery of messages into a user's folder, by local-deliver and LMTP.
 *
 * Durable before the return: file, name and journal record are on stable
 * storage, or nothing is there. The queue id and the recipient are kept with
 * the message, so a second delivery of the same, after a crash between
 * delivery and its report, is recognised and changes nothing. Costs the same
 * in a folder of any size.
 *
 * The caller has the rights of the Maildir's owner.
 */
#ifndef MAILBOX_DELIVER_H
#define MAILBOX_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/folder-id.h"

struct delivery {
	const char *maildir;  /* absolute path; made if missing */
	const char *folder;   /* "INBOX", or a name as in store.h */
	bool create_folder;   /* make it if missing, else ERR_NOT_FOUND */
	const char *prologue; /* header fields before the content, CRLF line
				 * ends, or "" */
	int fd;		      /* the content: LENGTH bytes from OFFSET */
	off_t offset;
	off_t length;
	const char *queue_id;  /* "" if there is none: then no check */
	const char *recipient; /* final recipient, part of that check */
	int64_t arrival_us;    /* when the message came (wall clock) */
	unsigned flags;	       /* enum mailbox_flag; usually 0 */
	bool full;	       /* there is no room: ERR_LIMIT, unless it was
				* delivered before */
};

struct delivered {
	uint32_t uid;
	uint32_t uidvalidity;
	bool duplicate;		 /* it was already there */
	struct folder_id folder; /* for feed_tell */
};

/* ERR_OK: it is there. ERR_NO_SPACE (452 4.2.2 or 4.3.1), ERR_DENIED,
 * ERR_BUSY (locked too long), ERR_NOT_FOUND, ERR_IO, ERR_TOO_LONG (over
 * 4 GiB): it is not. */
int deliver_message(const struct delivery *d, struct delivered *out) MUST_CHECK;

/* A folder that stays open from one delivery to the next, which saves a third
 * of the system calls. It is opened again when anything in it was replaced. */
struct letterbox;
struct letterbox *letterbox_new(void);
void letterbox_free(struct letterbox **b);

/* The same for D[N] of one Maildir and folder, through B. They share the lock,
 * the journal's record and the syncs. All or none: after an error, which may be
 * that one of them is already there, nothing was added. Delivering each alone
 * then shows what is wrong with which. */
int deliver_together(struct letterbox *b, const struct delivery *d, size_t n,
		     struct delivered *out) MUST_CHECK;

#endif
