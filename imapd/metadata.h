/*
 * Which annotations a client asks for, and how they are sent (RFC 5464), by
 * GETMETADATA and as a part of LIST (RFC 9590).
 */
#ifndef IMAPD_METADATA_H
#define IMAPD_METADATA_H

#include <stdint.h>

#include "imapd/session.h"
#include "mailbox/metadata.h"

enum metadata_depth { DEPTH_0, DEPTH_1, DEPTH_INFINITY };

struct annotations {
	const char **name; /* in the command's memory */
	size_t n;
	enum metadata_depth depth;
	uint64_t max;	  /* of the bytes of a value that is sent */
	uint64_t longest; /* value that was not */
};

/* The names at A, up to the end. NULL, or why they are none. */
const char *annotations_parse(struct session *s, const struct arg *a,
			      struct annotations *wanted);

/* Appends the name of an entry. */
void metadata_put_name(const char *name, struct buf *out);

/* Reads what the client may see of the folder NAME, whose special use is USE;
 * the private ones are the owner's. Gives a code. */
int annotations_read(struct session *s, const char *name, const char *use,
		     struct metadata *m);

/* Appends the untagged METADATA of NAME ("": the account) with those of M that
 * are wanted; nothing if there are none. */
void annotations_put(struct session *s, const char *name,
		     const struct metadata *m, struct annotations *wanted,
		     struct buf *out);

#endif
