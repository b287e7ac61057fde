/*
 * Which piece of a message is meant by the section of a FETCH item such as
 * BODY[1.2.MIME] (RFC 3501 section 6.4.5).
 */
#ifndef MIME_SECTION_H
#define MIME_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "mime/part.h"

enum mime_section_what {
	MIME_SECTION_ALL, /* [] or [1.2] */
	MIME_SECTION_HEADER,
	MIME_SECTION_FIELDS,	 /* HEADER.FIELDS: names follow */
	MIME_SECTION_FIELDS_NOT, /* HEADER.FIELDS.NOT: names follow */
	MIME_SECTION_TEXT,
	MIME_SECTION_MIME
};

struct mime_section {
	enum mime_section_what what;
	unsigned path[MIME_DEPTH_MAX];
	int npath;
};

/* Parses what stands between "[" and "]", or, for HEADER.FIELDS, before the
 * list of names. False if it is no section. */
bool mime_section_parse(const char *text, size_t n, struct mime_section *s);

/* Where the piece is in the message of the tree ROOT: offset and bytes; for
 * the two FIELDS it is the header to choose from. False if there is no such
 * part, or it has no such piece. */
bool mime_section_find(const struct mime_part *root,
		       const struct mime_section *s, size_t *at, size_t *n);

/* Appends the fields of HEADER, N that are among NAMES (or, with NOT, are
 * not) and the empty line, with CRLF line ends. */
void mime_put_fields(struct buf *out, const char *header, size_t n,
		     const struct strlist *names, bool not );

/* Appends DATA, N with every line end CRLF. LAST is the byte before DATA in
 * its file, or 0. */
void mime_put_crlf(struct buf *out, char last, const char *data, size_t n);

#endif
