/*
 * Address lists of header fields (RFC 5322 section 3.4, with the obsolete
 * forms of section 4.4), read as real programs write them: no list is refused,
 * and what makes no sense becomes the nearest thing that does. The parser also
 * says whether it had to guess: then other programs may read something else.
 *
 * What readers are shown and what is judged or signed for comes from here, so
 * that they are the same. Whom a message is sent to is read by address_header
 * (address/address.h), which refuses what it does not understand.
 */
#ifndef MIME_ADDRESS_H
#define MIME_ADDRESS_H

#include <stddef.h>

#include "base/buf.h"

enum mime_address_kind {
	MIME_MAILBOX,
	MIME_GROUP,    /* a group begins; its name is in NAME */
	MIME_GROUP_END /* nothing is in the buffers */
};

/* Unquoted text without comments and line ends; each holds 16 KB at most, and
 * empty means none. */
struct mime_address {
	enum mime_address_kind kind;
	struct buf name; /* the phrase, or, without one, the last comment */
	struct buf route;
	struct buf local;
	struct buf domain; /* may be missing, or not a domain at all */
};

enum mime_address_form {
	MIME_BY_GRAMMAR, /* every parser that follows the grammar agrees */
	MIME_GUESSED,	 /* includes source routes and other obsolete forms */
	MIME_ENTANGLED	 /* < and > nested or repeated, so that programs may
			  * find an address that is not there as such */
};

typedef void mime_address_take(void *context, const struct mime_address *a);

/* Gives the addresses in VALUE, N to TAKE in order, at most MAX (0: all of
 * them), and tells how VALUE was written. */
enum mime_address_form mime_address_list(const char *value, size_t n,
					 size_t max, mime_address_take *take,
					 void *context);

#endif
