/*
 * Giving a connection whose login succeeded to its session: the packet
 * `session` of posthorn-protocol(7), sections imap-session and pop3-session.
 */
#ifndef ACCOUNTD_HANDOVER_H
#define ACCOUNTD_HANDOVER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/buf.h"
#include "client/account.h"

struct handover;

struct handover_facts {
	const char *session; /* "imap" or "pop3" */
	const struct account *account;
	const char *visitor; /* who comes for the account's folders; or NULL:
			      * the account's user. Nothing that is given to
			      * such a session may open one of the account */
	const char *client;
	bool tls;
	const char *tag;
	const char *pending; /* base64 */
	const struct buf *state; /* of a session that comes back, or NULL */
	int fd;		     /* stays the caller's */
};

enum handover_end {
	HANDOVER_TAKEN,
	HANDOVER_LATER,	  /* nobody had time for it: try again */
	HANDOVER_REFUSED, /* nobody will take it */
	HANDOVER_MANY,	  /* nor this: the user has too many sessions */
	HANDOVER_LOST	  /* perhaps somebody has it: it was shut down, so that
			   * no two processes use it */
};

/* WHY says more, unless END is HANDOVER_TAKEN. */
typedef void handover_done(void *context, enum handover_end end,
			   const char *why);

/* DONE is called once, later; NULL and *WHY if the session side cannot be
 * reached at all. */
struct handover *handover_begin(struct event_base *base,
				const struct handover_facts *f,
				handover_done *done, void *context,
				const char **why);

/* Nobody waits any more; DONE is not called. */
void handover_cancel(struct handover *h);

#endif
