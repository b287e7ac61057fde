/*
 * Messages that a client sends in a command, each with what describes it, and
 * that go from the connection to the mailbox piece by piece: APPEND (RFC 3501
 * section 6.3.11), several at once (RFC 3502). One that may have any bytes (RFC
 * 3516) is held in memory, since it is stored in another encoding.
 *
 * The first failure ends the command. A literal not yet accepted is then left
 * to the session, which refuses it.
 */
#ifndef IMAPD_UPLOAD_H
#define IMAPD_UPLOAD_H

#include "imapd/session.h"
#include "mailbox/append.h"

struct upload {
	struct session *s;
	struct append *to;
	const struct arg *at; /* what comes next in the command */
	size_t count;	      /* messages that were taken */
	uint64_t size;	      /* of the current one */
	struct buf binary;    /* a literal8 */

	/* The failure: one of them. */
	const char *bad; /* the command is invalid */
	const char *no;	 /* the message is refused */
	int code;	 /* the mailbox's */
};

/* Begins at the arguments A, for the folder NAME. False: upload_fail. */
bool upload_begin(struct upload *u, struct session *s, const struct arg *a,
		  const char *name);

/* Takes one message. False: upload_fail. */
bool upload_message(struct upload *u);

/* Is that the end of the command? */
bool upload_is_over(const struct upload *u);

/* The tagged reply to a failure. */
void upload_fail(struct upload *u);

/* Without a commit before, nothing was added. */
void upload_end(struct upload *u);

#endif
