/*
 * Canonicalization (RFC 6376 section 3.4): the form of header fields and body
 * that is hashed.
 */
#ifndef AUTHCHECK_DKIM_CANON_H
#define AUTHCHECK_DKIM_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mime/field.h"

/* Appends F, as it is or RELAXED, without a line end. */
void dkim_canon_field(struct buf *out, const struct mime_field *f,
		      bool relaxed);

/* The same for a signature's own field F: the value of its tag b= is left
 * out, wherever white space stands. */
void dkim_canon_signature(struct buf *out, const struct mime_field *f,
			  bool relaxed);

/* A body, piece by piece: what is to be hashed goes to TAKE. */
struct dkim_canon {
	bool relaxed;
	void (*take)(void *context, const char *data, size_t n);
	void *context;
	bool cr;	/* one was seen, and not yet what follows */
	bool blank;	/* white space was seen, and nothing after it */
	bool open;	/* something stands in the line */
	bool any;	/* … or in one before */
	int64_t lines;	/* line ends that nothing followed so far */
	int64_t length; /* bytes given */
};

void dkim_canon_begin(struct dkim_canon *c, bool relaxed,
		      void (*take)(void *context, const char *data, size_t n),
		      void *context);
void dkim_canon_body(struct dkim_canon *c, const char *data, size_t n);
void dkim_canon_end(struct dkim_canon *c);

#endif
