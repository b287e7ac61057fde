/*
 * The header of a message or of a part in memory: fields one after the other,
 * with LF or CRLF line ends, or mixed. Nothing is copied and nothing is
 * refused: a line without a colon is a field without a name, and one that
 * begins with white space belongs to the field before it.
 */
#ifndef MIME_FIELD_H
#define MIME_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct mime_field {
	const char *raw; /* the whole field with its last line end */
	size_t nraw;
	const char *name;  /* before the colon, trailing blanks cut off */
	size_t nname;	   /* 0 if there is no colon */
	const char *value; /* after the colon, folded, without last line end */
	size_t nvalue;
};

/* The next field at *POS (start with the first byte of the header) before
 * END. False at the empty line that ends the header, or at END: *POS is then
 * the first byte of the body. */
bool mime_field_next(const char **pos, const char *end, struct mime_field *f);

/* Is the field called NAME, case folded? */
bool mime_field_is(const struct mime_field *f, const char *name);

/* The first field NAME within HEADER, N; false if there is none. */
bool mime_field_find(const char *header, size_t n, const char *name,
		     struct mime_field *f);

/* Bytes of the header at DATA, with the empty line that ends it; N if there
 * is no such line. */
size_t mime_header_size(const char *data, size_t n);

/* The same for content as the queue holds it, where only CRLF ends a line,
 * while it arrives: 0 as long as the empty line is not within the N bytes.
 * The first SEEN of them were examined before. */
size_t mime_header_end(const char *data, size_t n, size_t seen);

/* Appends a value without its line ends and without white space at either end
 * (RFC 5322 section 2.2.3); a tab after a line end becomes a space. */
void mime_unfold(struct buf *out, const char *value, size_t n);

#endif
