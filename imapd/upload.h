/*
 * Messages that a client sends in a command, each with what describes it, and
 * that go from the connection to the mailbox piece by piece: APPEND (RFC 3501
 * section 6.3.11), several at once (RFC 3502), made of parts (RFC 4469, in
 * upload-parts.c), in UTF-8 (RFC 6855 section 4). One that may have any bytes (RFC
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
	const char *name; /* its folder's, the caller's */
	const struct arg *at; /* what comes next in the command */
	size_t count;	      /* messages that were taken */
	uint64_t size;	      /* of the current one */
	uint64_t taken;	      /* of those before it */
	struct usage usage;   /* of the user, before the command */
	unsigned rights;      /* in the folder */
	uint32_t freed;	      /* the size of a message that goes for it, or 0 */
	struct buf binary;    /* a literal8, or what is no part of it */
	bool held;	      /* the current literal goes there */

	/* The failure: one of them. */
	const char *bad; /* the command is invalid */
	const char *no;	 /* the message is refused */
	int code;	 /* the mailbox's */
};

/* Begins at the arguments A, for the folder NAME. False: upload_fail. */
bool upload_begin(struct upload *u, struct session *s, const struct arg *a,
		  const char *name);

#define UPLOAD_EMPTY "[CANNOT] The message is empty."
#define UPLOAD_TOO_BIG "[TOOBIG] The message is too large."

/* Takes one message. False: upload_fail. */
bool upload_message(struct upload *u);

/* Is that the end of the command? */
bool upload_is_over(const struct upload *u);

/* Adds all that was taken to the folder, if there is still room: as
 * append_commit. False: upload_fail. */
bool upload_commit(struct upload *u, uint32_t *uidvalidity, uint32_t *first,
		   struct folder_id *folder);

/* The tagged reply to a failure. */
void upload_fail(struct upload *u);

/* Without a commit before, nothing was added. */
void upload_end(struct upload *u);

/* The rest is for the files of uploads. All give false after a failure. */

/* Notes the failure: the command is invalid, the message refused, the mailbox
 * failed. */
bool upload_bad(struct upload *u, const char *why);
bool upload_refuse(struct upload *u, const char *why);
bool upload_failed(struct upload *u, int code);

/* "CATENATE (" … ")" */
bool upload_parts(struct upload *u);

/* "UTF8 (" literal8 ")": a WHOLE message, or a part. */
bool upload_utf8(struct upload *u, bool whole);

/* A literal that is a part of the message. */
bool upload_text(struct upload *u);

/* A literal of at most MAX bytes that is none: *TEXT, in the command's memory.
 */
bool upload_string(struct upload *u, size_t max, const char **text);

/* Adds to the message. */
bool upload_write(struct upload *u, const char *data, size_t n);

#endif
