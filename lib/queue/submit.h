/*
 * Mail of local programs: what sendmail(1) gives to pickup, through the
 * public socket or, while the suite does not run, the drop folder. Either
 * way it is one file, a submission:
 *
 *     records of an envelope (queue/envelope.h), an empty line, the message
 *
 * The message has the line ends that its program wrote. Only sender,
 * recipients, envid, ret and body of the envelope count; where the mail
 * comes from, pickup learns from the kernel.
 *
 * For the socket the file is a sealed memfd, so that it cannot change under
 * the reader; in the folder it is complete when its name begins with
 * SUBMIT_DROP_PREFIX.
 */
#ifndef QUEUE_SUBMIT_H
#define QUEUE_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ipc/ipc.h"
#include "queue/envelope.h"

#define SUBMIT_ENVELOPE_MAX (16 << 20) /* bytes of the records */
#define SUBMIT_DROP_PREFIX "mail."

/* A new submission in memory, with the records of E written: append the
 * message to the descriptor. -1 with errno. */
int submit_begin(const struct envelope *e);

enum submit_status {
	SUBMIT_QUEUED,	/* promised */
	SUBMIT_LATER,	/* not taken for now: there was a reply, 4xx */
	SUBMIT_REFUSED, /* never will be: 5xx */
	SUBMIT_AWAY,	/* nobody took it: the suite does not run */
	SUBMIT_UNKNOWN	/* given over, and no answer came */
};

/* Seals FD and hands it to pickup at the socket PATH; waits at most MS
 * milliseconds. REPLY gets the reply in SMTP's form, or why there is none. */
enum submit_status submit_send(const char *path, int fd, int64_t ms,
			       struct buf *reply);

/* Puts a copy of FD into the folder DIR, durable when it gives ERR_OK.
 * On error WHY gets a line. */
int submit_drop(const char *dir, int fd, struct buf *why);

/* For pickup. Is FD a memfd that nobody can change any more? */
bool submit_is_sealed(int fd);

/* Reads the records of the submission FD: E with all memory from A, and
 * where the message is. Addresses are texts of strangers: check them.
 * ERR_OK, ERR_SYNTAX, ERR_TOO_LONG or ERR_IO. */
int submit_read(struct arena *a, int fd, struct envelope *e, off_t *offset,
		off_t *length);

#endif
