/*
 * The header of a message as a list of fields that can be changed: what the
 * intake's policies look at and edit. It points into the bytes that came;
 * only fields that are new are memory of its own. Whoever wants the header
 * as bytes gets it written anew; fields that nobody touched come out byte for
 * byte.
 *
 * A field is named by its place in the list, from 0: places behind an
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
	const char *body; /* what stands behind the header */
};

/* Makes H ready for use; intake_header_free ends it. */
void intake_header_init(struct intake_header *h);
void intake_header_free(struct intake_header *h);

/* Reads the header at DATA, N, which must stay: all of it, with its empty
 * line if it has one. A "From joe …" of a mailbox file before it is passed
 * over; a line that is no field ends it. H->body is where it ends. */
void intake_header_read(struct intake_header *h, const char *data, size_t n);

/* The place of the first field NAME from FROM on; h->n if there is none. */
size_t intake_header_find(const struct intake_header *h, const char *name,
			  size_t from);

/* The value of the field at AT without its folds, appended to OUT. */
void intake_header_value(const struct intake_header *h, size_t at,
			 struct buf *out);

/* Puts a field before the one at AT; AT = h->n: at the end. VALUE is text
 * without line ends, or with folds (CRLF and white space). False, and no
 * change, if NAME or VALUE is not what a field can hold, or AT is no place. */
bool intake_header_insert(struct intake_header *h, size_t at, const char *name,
			  const char *value);

/* Gives the field at AT another value. False as above. */
bool intake_header_change(struct intake_header *h, size_t at,
			  const char *value);

/* Takes the field at AT away. */
void intake_header_remove(struct intake_header *h, size_t at);

/* Takes all fields NAME away that GONE says (NULL: all). */
void intake_header_remove_all(struct intake_header *h, const char *name,
			      bool (*gone)(const struct mime_field *f,
					   const void *context),
			      const void *context);

/* Appends all fields and the empty line to OUT. */
void intake_header_write(const struct intake_header *h, struct buf *out);

/* Forgets that it was changed: it was written. */
void intake_header_settled(struct intake_header *h);

#endif
