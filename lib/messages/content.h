/*
 * Does a message's file hold what was written to it? After a power cut it may
 * have the right name and the right size, and zeros where the message should
 * be: some file systems make a name durable before the content.
 */
#ifndef MESSAGES_CONTENT_H
#define MESSAGES_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "messages/messages.h"

enum content {
	CONTENT_RIGHT,	/* the bytes that were recorded */
	CONTENT_EMPTY,	/* nothing at all, or only zeros */
	CONTENT_TORN,	/* a part: shorter, or with blocks of zeros in it */
	CONTENT_CHANGED /* other bytes: another program wrote here */
};

/* For OURS below: it is not known when we wrote. */
#define CONTENT_ANY_TIME INT64_MAX

/* Reads the file FD, of which SIZE bytes with checksum *CRC were recorded;
 * CRC may be NULL: then every whole file of SIZE counts as right. Our own writes
 * ended before OURS, microseconds; what was written to later is never EMPTY or
 * TORN: another program did that, since a power cut sets no time. */
int content_judge(int fd, uint32_t size, const uint32_t *crc, int64_t ours,
		  enum content *what) MUST_CHECK;

/* Hides a message that was never promised and is EMPTY or TORN, for good once
 * this gives ERR_OK: then its record may be undone. If it has any content it
 * is kept in tmp. */
int content_put_aside(struct messages *ms, const struct message_ref *r,
		      enum content what) MUST_CHECK;

#endif
