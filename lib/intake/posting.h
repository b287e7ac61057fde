/*
 * Mail from local programs: what sendmail(1) gives to pickup, over the public
 * socket or, while the suite does not run, in the drop folder. Either way it
 * is one file, a posting:
 *
 *     records of an envelope (queue/envelope.h), an empty line, the message
 *
 * The message has the line ends that its program wrote. Only sender,
 * recipients, envid, ret and body of the envelope are used; the kernel tells
 * pickup where the mail comes from.
 *
 * For the socket the file is a sealed memfd, so that it cannot change under
 * the reader; in the folder it is complete when its name begins with
 * POSTING_DROP_PREFIX.
 */
#ifndef INTAKE_POSTING_H
#define INTAKE_POSTING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "ipc/ipc.h"
#include "queue/envelope.h"

#define POSTING_ENVELOPE_MAX (16 << 20) /* bytes of the records */
#define POSTING_RECIPIENTS_MAX 100000
#define POSTING_DROP_PREFIX "mail."
#define POSTING_ASIDE_PREFIX "bad." /* put before it: it cannot be taken */

/* A new posting in memory, with the records of E written: append the
 * message to the descriptor. -1 with errno. */
MUST_CHECK int posting_begin(const struct envelope *e);

enum posting_status {
	POSTING_QUEUED,	 /* promised */
	POSTING_LATER,	 /* not accepted now: the reply was 4xx */
	POSTING_REFUSED, /* refused for good: 5xx */
	POSTING_AWAY,	 /* nobody took it: the suite does not run */
	POSTING_UNKNOWN	 /* handed over, but no answer came */
};

/* Seals FD and hands it to pickup at the socket PATH; waits at most MS
 * milliseconds. REPLY gets the reply in SMTP's form, or why there is none. */
enum posting_status posting_send(const char *path, int fd, int64_t ms,
				 struct buf *reply);

/* Puts a copy of FD into the folder DIR, durable when it gives ERR_OK.
 * On error WHY gets a line. */
MUST_CHECK int posting_drop(const char *dir, int fd, struct buf *why);

/* For pickup. Reads the records of the posting FD into E, with all memory from
 * A, and where the message is. Addresses are untrusted text: check them.
 * ERR_OK, ERR_SYNTAX, ERR_TOO_LONG or ERR_IO. */
MUST_CHECK int posting_read(struct arena *a, int fd, struct envelope *e,
			    off_t *offset, off_t *length);

#endif
