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

struct incoming {
	int dir; /* where it will be: new or cur */
	int tmp; /* the folder, for its tmp if O_TMPFILE is missing */
	int fd;
	char name[48];	 /* "tmp/…", or "" for an unnamed file */
	struct buf text; /* the file's bytes not yet written … */
	bool whole;	 /* … which are all */
	bool exact;	 /* kept as it came */
	bool cr;	 /* a CR is held back until the next byte is seen */
	char last;	 /* the last byte that came */
	uint64_t written;
	uint64_t size; /* of the file */
	uint64_t wire; /* as sent */
};

/* Begins one for the directory DIR of the folder FOLDER. */
int incoming_begin(struct incoming *in, int folder, int dir);
int incoming_write(struct incoming *in, const char *data, size_t n);
/* Writes what is left. ERR_TOO_LONG beyond 4 GiB. */
int incoming_finish(struct incoming *in);
/* Gives the file its name in its directory. */
int incoming_link(struct incoming *in, const char *name);
/* Ends it; without a link before, the file is gone. */
void incoming_end(struct incoming *in);

#endif
