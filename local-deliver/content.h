/*
 * The message as Unix programs want it: with LF line ends. Read from the queue
 * file piece by piece.
 */
#ifndef LOCAL_DELIVER_CONTENT_H
#define LOCAL_DELIVER_CONTENT_H

#include "base/buf.h"
#include "base/err.h"
#include "local-deliver/local.h"

struct content {
	int fd;
	off_t at, end;
	const char *prologue; /* the rest of it */
	bool quote_from;      /* "From " at a line's start gets a ">" */
	bool line_start;
};

/* The message with PROLOGUE before it, which stays the caller's. */
void content_begin(struct content *c, const struct job *j, const char *prologue,
		   bool quote_from);

/* Appends the next piece to OUT (at most some 40 KiB, so OUT must have room
 * for that). ERR_OK, ERR_EOF when there is no more, ERR_IO. */
int content_next(struct content *c, struct buf *out) MUST_CHECK;

#define CONTENT_PIECE_MAX 65536

#endif
