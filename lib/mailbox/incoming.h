/*
 * A message on its way into a folder: bytes with CRLF line ends come in, a
 * file with LF line ends is made, still without a name.
 *
 * What is read back has every LF that no CR precedes turned into CRLF. So a
 * message with a CR that does not belong to a line end is kept as it came,
 * CRLF and all: then, too, it comes back byte for byte.
 */
#ifndef MAILBOX_INCOMING_H
#define MAILBOX_INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "messages/messages.h"

struct incoming {
	struct messages *ms; /* where it will be; NULL: nothing was begun */
	struct message_new file;
	struct buf text; /* the file's bytes not yet written … */
	bool whole;	 /* … which are all */
	bool exact;	 /* kept as it came */
	bool cr;	 /* a CR is held back until the next byte is seen */
	char last;	 /* the last byte that came */
	uint64_t written;
	uint32_t crc;  /* CRC-32C of what was written */
	uint64_t size; /* of the file */
	uint64_t wire; /* as sent */
};

/* Begins one for the place DIR of MS. */
int incoming_begin(struct incoming *in, struct messages *ms,
		   unsigned dir) MUST_CHECK;
int incoming_write(struct incoming *in, const char *data, size_t n) MUST_CHECK;
/* Writes what is left, begins to write it out. ERR_TOO_LONG beyond 4 GiB. */
int incoming_finish(struct incoming *in) MUST_CHECK;
/* Waits until it is written out. It may have a name only then: so that no
 * file system that keeps its notes in order makes the name durable before
 * length and content. No sync: a disk's cache may hold it yet. */
int incoming_wait(const struct incoming *in) MUST_CHECK;
/* Its content on stable storage. */
int incoming_sync(const struct incoming *in) MUST_CHECK;
/* Ends it; if it got no name (messages_name), it is gone. */
void incoming_end(struct incoming *in);

#endif
