/*
 * Address lists of header fields (RFC 5322 section 3.4, with the obsolete
 * forms of section 4.4), read as people's programs write them: no list is
 * refused, and what makes no sense becomes the nearest thing that does. It
 * says, too, whether anything had to be guessed: then others may read
 * something else.
 *
 * This is the one parser of address lists: what is shown of an author and
 * what is judged of him come from here.
 */
#ifndef MIME_ADDRESS_H
#define MIME_ADDRESS_H

#include <stddef.h>

#include "base/buf.h"

enum mime_address_kind {
	MIME_MAILBOX,
	MIME_GROUP,    /* begins; its name is in NAME */
	MIME_GROUP_END /* nothing is in the buffers */
};

/* Unquoted text without comments and line ends; each holds 16 KB at most, and
 * empty means none. */
struct mime_address {
	enum mime_address_kind kind;
	struct buf name; /* the phrase, or, without one, the last comment */
	struct buf route;
	struct buf local;
	struct buf domain; /* may be missing, or no domain at all */
};

enum mime_address_form {
	MIME_BY_GRAMMAR, /* whoever keeps to the grammar finds the same */
	MIME_GUESSED,	 /* source routes and other obsolete things, too */
	MIME_ENTANGLED	 /* < and > in each other or one after the other, so
			  * that programs find what stands nowhere */
};

typedef void mime_address_take(void *context, const struct mime_address *a);

/* Gives the addresses of VALUE, N to TAKE in their order, at most MAX (0: all
 * of them), and tells how VALUE was written. */
enum mime_address_form mime_address_list(const char *value, size_t n,
					 size_t max, mime_address_take *take,
					 void *context);

#endif
