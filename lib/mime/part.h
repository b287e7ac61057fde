/*
 * The tree of parts of a message (RFC 2045, 2046), found in one pass over
 * its bytes, with LF or CRLF line ends. Parts say where they are in those
 * bytes, and how large they are for IMAP: with every line end CRLF.
 *
 * Any bytes give a tree, in linear time. Beyond MIME_DEPTH_MAX or
 * MIME_PARTS_MAX the rest is text of the part that contains it.
 */
#ifndef MIME_PART_H
#define MIME_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define MIME_DEPTH_MAX 40
#define MIME_PARTS_MAX 2000

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,
	MIME_MESSAGE /* its one child is the message */
};

struct mime_part {
	struct mime_part *child; /* first part of a multipart, or message */
	struct mime_part *next;	 /* the following part of the same parent */
	enum mime_kind kind;
	bool digest; /* parts of it are message/rfc822 by default */
	bool in_digest;
	bool cut;	/* a leaf that would be a message within the limits */
	size_t header;	/* offset of the header */
	size_t nheader; /* with the empty line */
	size_t body;	/* offset of the body */
	size_t nbody;
	size_t header_crlf; /* both in octets as sent by IMAP */
	size_t body_crlf;
	size_t body_lines; /* line ends in the body */
};

/* The tree of the message DATA, N, with memory from A. */
struct mime_part *mime_parse(struct arena *a, const char *data, size_t n);

/* The same, in which message/global is a message as message/rfc822 is: so
 * under IMAP4rev2 (RFC 9051), while for others it is one part. */
struct mime_part *mime_parse_global(struct arena *a, const char *data,
				    size_t n);

#endif
