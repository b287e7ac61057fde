/*
 * A message for a host without 8BITMIME. RFC 6152 section 3 leaves two ways:
 * to convert it, or to return it. It is converted if that can be done
 * correctly: each leaf part with bytes beyond ASCII gets a suitable encoding,
 * the multiparts and messages around it are declared 7bit, and all else stays
 * the same, byte for byte: parts that are ASCII (even signed ones, unless 8-bit
 * text is in them), boundaries, and every header field except
 * Content-Transfer-Encoding. Header fields are never converted; for them there
 * is SMTPUTF8.
 *
 * Signatures over the whole message (DKIM) then fail: that is the price, which
 * disable_mime_output_conversion avoids.
 */
#ifndef REMOTE_SEND_SEVEN_BIT_H
#define REMOTE_SEND_SEVEN_BIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "mime/encode.h"
#include "mime/part.h"
#include "qmgr/job.h"

enum seven_bit_state {
	SEVEN_BIT_UNKNOWN,    /* seven_bit_look was not called */
	SEVEN_BIT_CLEAN,      /* its body is ASCII: goes as it is */
	SEVEN_BIT_CONVERTED,  /* by seven_bit_write */
	SEVEN_BIT_IMPOSSIBLE, /* 8-bit text that no encoding may change */
	SEVEN_BIT_UNREADABLE  /* the queue file cannot be read */
};

struct seven_bit {
	enum seven_bit_state state;
	struct arena *arena;
	char *map; /* of the queue file */
	size_t nmap;
	const char *data; /* the content within */
	size_t n;
	struct mime_part *root;
	int64_t size; /* SEVEN_BIT_CONVERTED: of the converted content */
};

/* Finds out what J's content needs; sets B->state. The result is in A and in a
 * mapping of the file, which seven_bit_end unmaps. */
void seven_bit_look(struct seven_bit *b, struct arena *a, const struct job *j);

/* Writes the converted content. ERR_OK or the sink's code. */
int seven_bit_write(const struct seven_bit *b, mime_sink *sink, void *context)
	MUST_CHECK;

void seven_bit_end(struct seven_bit *b);

#endif
