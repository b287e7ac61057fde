/*
 * A message on its way into a folder: bytes with CRLF line ends come in, a
 * file with LF line ends is made, still without a name.
 *
 * When it is read back, every LF without a CR before it becomes CRLF. So a
 * message with a CR outside a line end is kept as it came, with CRLF line
 * ends, and also comes back byte for byte.
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
	bool cr;	 /* a CR is held back until the next byte comes */
	char last;	 /* the last byte that came */
	uint64_t written;
	uint32_t crc;  /* CRC-32C of what was written */
	bool unread;   /* a clone: `crc` is not known */
	bool durable;  /* it was synced, by whoever set this */
	uint64_t size; /* of the file */
	uint64_t wire; /* as sent */
};

/* Begins one for the place DIR of MS. */
int incoming_begin(struct incoming *in, struct messages *ms,
		   unsigned dir) MUST_CHECK;
int incoming_write(struct incoming *in, const char *data, size_t n) MUST_CHECK;
/* Writes the rest, and starts write-out. ERR_TOO_LONG beyond 4 GiB. */
int incoming_finish(struct incoming *in) MUST_CHECK;
/* The content of another message's file, FD, of SIZE bytes, instead of all that:
 * shared with it if the file system can do that, else read and written. ERR_EOF:
 * that file is shorter. */
int incoming_copy(struct incoming *in, int fd, uint64_t size) MUST_CHECK;
/* Waits until it is written out. Only then may it get a name: so no file
 * system that keeps its journal in order makes the name durable before length
 * and content. This is not a sync: a disk's cache may still hold it. */
int incoming_wait(const struct incoming *in) MUST_CHECK;
/* Puts its content on stable storage. */
int incoming_sync(const struct incoming *in) MUST_CHECK;
/* Frees it; if it got no name (messages_name), it is gone. */
void incoming_end(struct incoming *in);

#endif
