/*
 * STATUS (RFC 3501 section 6.3.10, RFC 8438, 7889, 7162), also as a part of LIST
 * (RFC 5819).
 */
#ifndef IMAPD_STATUS_H
#define IMAPD_STATUS_H

#include "imapd/session.h"

enum {
	STATUS_MESSAGES,
	STATUS_RECENT,
	STATUS_UIDNEXT,
	STATUS_UIDVALIDITY,
	STATUS_UNSEEN,
	STATUS_SIZE,
	STATUS_DELETED,		/* RFC 9051 */
	STATUS_DELETED_STORAGE, /* RFC 9208 */
	STATUS_HIGHESTMODSEQ,
	STATUS_MAILBOXID,   /* RFC 8474 */
	STATUS_APPENDLIMIT, /* RFC 7889: here the same for all */
	STATUS_ITEMS
};

/* The list of items at A as bits; false if there is one that S does not know.
 */
bool status_parse(const struct session *s, const struct arg *a,
		  unsigned *items);

/* Appends the untagged STATUS of folder NAME to B; nothing if it fails. Gives
 * a code. */
int status_put(struct session *s, const char *name, unsigned items,
	       struct buf *b);

/* The same from ST, which has no sizes. */
void status_put_values(struct session *s, const char *name, unsigned items,
		       const struct store_status *st, struct buf *b);

#endif
