/* May the user store more (RFC 9208)? */
#ifndef IMAPD_QUOTA_H
#define IMAPD_QUOTA_H

#include "imapd/session.h"

#define QUOTA_OVER "[OVERQUOTA] The mailbox is full: delete something first."

/* What the user's folders hold, if there is a limit. Gives a code. */
int quota_usage(struct session *s, struct usage *u) MUST_CHECK;

/* Is there room for C at this moment? On ERR_OK with *FITS no other session of
 * the user adds messages before quota_release, which may be called in any
 * case. */
int quota_claim(struct session *s, const struct quota_change *c,
		bool *fits) MUST_CHECK;
void quota_release(struct session *s);

/* May the messages at SEQ[N] be copied to the folder TO, or with MOVE moved?
 * Then quota_release is called after that. False: the client was told. */
bool quota_may_copy(struct session *s, const uint32_t *seq, size_t n,
		    const char *to, bool move);

#endif
