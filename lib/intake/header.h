/*
 * The header of a message as a list of fields that can be changed: what the
 * intake's policies read and edit. It points into the bytes that came; only
 * new fields have memory of their own. To get the header as bytes, it is
 * written anew; untouched fields come out byte for byte.
 *
 * A field is identified by its place in the list, from 0: places after an
 * insertion or a removal move.
 */
#ifndef INTAKE_HEADER_H
#define INTAKE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mime/field.h"

struct intake_header {
	struct arena *arena;
	struct mime_field *field;
	size_t n;
	size_t cap;
	bool changed; /* since intake_header_read or intake_header_settled */
	const char *body; /* what follows the header */
};

/* Makes H ready for use; intake_header_free frees it. */
void intake_header_init(struct intake_header *h);
void intake_header_free(struct intake_header *h);

/* Reads the header at DATA, N, which must stay: all of it, with its empty
 * line if it has one. A line "From joe …" of a mailbox file before it is
 * skipped; a line that is not a field ends it. H->body is where it ends. */
void intake_header_read(struct intake_header *h, const char *data, size_t n);

/* The place of the first field NAME from FROM on; h->n if there is none. */
size_t intake_header_find(const struct intake_header *h, const char *name,
			  size_t from);

/* The value of the field at AT without its folds, appended to OUT. */
void intake_header_value(const struct intake_header *h, size_t at,
			 struct buf *out);

/* Puts a field before the one at AT; AT = h->n: at the end. VALUE is text
 * without line ends, or with folds (CRLF and white space). False, and no
 * change, if NAME or VALUE is not allowed in a field, or AT is not a place. */
bool intake_header_insert(struct intake_header *h, size_t at, const char *name,
			  const char *value);

/* Gives the field at AT another value. False as above. */
bool intake_header_change(struct intake_header *h, size_t at,
			  const char *value);

/* Removes the field at AT. */
void intake_header_remove(struct intake_header *h, size_t at);

/* Removes the fields NAME for which GONE is true (NULL: all). */
void intake_header_remove_all(struct intake_header *h, const char *name,
			      bool (*gone)(const struct mime_field *f,
					   const void *context),
			      const void *context);

/* Appends all fields and the empty line to OUT. */
void intake_header_write(const struct intake_header *h, struct buf *out);

/* Forgets that it was changed: it was written. */
void intake_header_settled(struct intake_header *h);

#endif
