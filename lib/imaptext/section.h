/*
 * The piece of a message that the section of a FETCH item such as
 * BODY[1.2.MIME] means (RFC 3501 section 6.4.5).
 */
#ifndef IMAPTEXT_SECTION_H
#define IMAPTEXT_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "mime/part.h"

enum imap_section_what {
	IMAP_SECTION_ALL, /* [] or [1.2] */
	IMAP_SECTION_HEADER,
	IMAP_SECTION_FIELDS,	 /* HEADER.FIELDS: names follow */
	IMAP_SECTION_FIELDS_NOT, /* HEADER.FIELDS.NOT: names follow */
	IMAP_SECTION_TEXT,
	IMAP_SECTION_MIME
};

struct imap_section {
	enum imap_section_what what;
	unsigned path[MIME_DEPTH_MAX];
	int npath;
};

/* Parses the text between "[" and "]" or, for HEADER.FIELDS, before the list
 * of names. False if it is not a section. */
bool imap_section_parse(const char *text, size_t n, struct imap_section *s);

/* Where the piece is in the message of the tree ROOT: offset and bytes; for
 * the two FIELDS it is the header to choose from. A multipart without parts has
 * an empty one, as imap_structure shows it. False if there is no such part, or
 * it has no such piece. */
bool imap_section_find(const struct mime_part *root,
		       const struct imap_section *s, size_t *at, size_t *n);

/* Appends the fields of HEADER, N that are among NAMES (or, with NOT, are
 * not) and the empty line, with CRLF line ends. */
void imap_put_fields(struct buf *out, const char *header, size_t n,
		     const struct strlist *names, bool not );

#endif
