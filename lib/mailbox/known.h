/*
 * What a session knows of its open folder, to put it down when the session is
 * put aside, and to open the folder again later as it was: then the next
 * refresh tells of all that has happened since, and until then sequence
 * numbers are what they were.
 */
#ifndef MAILBOX_KNOWN_H
#define MAILBOX_KNOWN_H

#include <stdint.h>

#include "base/buf.h"
#include "mailbox/mailbox.h"

struct mailbox_known {
	uint32_t uidvalidity;
	uint64_t modseq;   /* as mailbox_reported */
	uint64_t looked;   /* flags were told up to this */
	uint32_t claimed;  /* read-only: \Recent are those above */
	struct buf uids;   /* struct mailbox_range, ascending and apart */
	struct buf recent; /* the same, of those with \Recent */
};

/* Buffers for at most MAX ranges each. */
void mailbox_known_init(struct mailbox_known *k, size_t max);
void mailbox_known_free(struct mailbox_known *k);

/* Puts down what is known of M. ERR_LIMIT: that is more than K may hold. */
int mailbox_know(const struct mailbox *m, struct mailbox_known *k) MUST_CHECK;

/* Opens folder NAME as mailbox_open does, as it was when K was put down. K may
 * come from anybody. ERR_CORRUPT: it is not the same folder, or holds messages
 * that can have no place among those known; ERR_SYNTAX: K is none. */
int mailbox_open_known(struct store *s, const char *name, bool read_only,
		       const struct mailbox_known *k,
		       struct mailbox **m) MUST_CHECK;

#endif
