/*
 * THREADID (RFC 8474 section 5.2): made of the identifier of the message that
 * began the thread, which a reply names first in References (RFC 5322 section
 * 3.6.4). So it depends on the message alone: it is the same in all folders,
 * whether or not the others of the thread are there or come later, and nothing
 * that is lost changes it.
 *
 * A thread is in two where a reply names only its parent, in In-Reply-To, and
 * that one did as well. Subjects play no part: words for "Re:" of other
 * languages would divide threads.
 */
#ifndef IMAPD_THREAD_ID_H
#define IMAPD_THREAD_ID_H

#include "imapd/session.h"

#define THREAD_ID_SIZE 34

/* That of the message SEQ; "" if it has no identifier and refers to none.
 * Gives a code. */
int thread_id(struct session *s, uint32_t seq,
	      char out[THREAD_ID_SIZE]) MUST_CHECK;

#endif
