/*
 * The lexical level of structured header fields (RFC 5322 section 3.2,
 * RFC 2045 section 5.1): white space with nested comments, quoted strings,
 * and runs of other bytes. A scanner never fails: what is left open ends at
 * the end of the field.
 */
#ifndef MIME_TOKEN_H
#define MIME_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct mime_scan {
	const char *p;
	const char *end;
	bool broken; /* a quote or comment was left open, or had a line end in
		      * it; or there was a NUL: programs differ */
};

/* Skips white space and comments. The text of the last comment replaces the
 * content of COMMENT, if that is not NULL. */
void mime_scan_blank(struct mime_scan *s, struct buf *comment);

/* At a '"': appends the quoted text, unescaped and unfolded, to OUT
 * and skips it. False at any other byte. */
bool mime_scan_quoted(struct mime_scan *s, struct buf *out);

/* Appends the run of bytes that are neither white space, controls nor in
 * SPECIALS; false if there are none. */
bool mime_scan_run(struct mime_scan *s, const char *specials, struct buf *out);

/* Is the next byte C? Then skips it. */
bool mime_scan_char(struct mime_scan *s, char c);

#endif
