/*
 * Giving a connection whose login succeeded to its session: the packet
 * `session` of posthorn-protocol(7), sections imap-session and pop3-session.
 */
#ifndef ACCOUNTD_HANDOVER_H
#define ACCOUNTD_HANDOVER_H

#include <event2/event.h>
#include <stdbool.h>

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
	int fd;		     /* stays the caller's */
};

/* WHY is NULL if the session side took the connection. Otherwise it did not,
 * with MANY because the user has too many sessions; if that is not certain, the
 * connection was shut down, so that no two processes use it. */
typedef void handover_done(void *context, const char *why, bool many);

/* DONE is called once, later; NULL and *WHY if the session side cannot be
 * reached at all. */
struct handover *handover_begin(struct event_base *base,
				const struct handover_facts *f,
				handover_done *done, void *context,
				const char **why);

/* Nobody waits any more; DONE is not called. */
void handover_cancel(struct handover *h);

#endif
