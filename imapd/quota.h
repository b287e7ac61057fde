/* May the user store more (RFC 9208)? */
#ifndef IMAPD_QUOTA_H
#define IMAPD_QUOTA_H

#include "imapd/session.h"

#define QUOTA_OVER "[OVERQUOTA] The mailbox is full: delete something first."

/* What the user's folders hold, if there is a limit. Gives a code. */
int quota_usage(struct session *s, struct usage *u) MUST_CHECK;

/* May the messages at SEQ[N] be copied to the folder TO, or with MOVE moved?
 * False: the client was told. */
bool quota_may_copy(struct session *s, const uint32_t *seq, size_t n,
		    const char *to, bool move);

#endif
