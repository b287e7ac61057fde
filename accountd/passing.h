/*
 * Passing a login on to the host that serves the user: the packet `login` of
 * posthorn-protocol(7), section login-proxy.
 */
#ifndef ACCOUNTD_PASSING_H
#define ACCOUNTD_PASSING_H

#include <event2/event.h>

#include "table/proxy.h"

struct passing;

struct passing_facts {
	const char *session; /* "imap" or "pop3" */
	const char *user;    /* canonical */
	const char *master;  /* who logs in for the user, or "" */
	const char *password;
	const struct proxy_target *target;
	int64_t ms; /* for all */
	int64_t ttl;
	const char *client;
	const char *tag;
	const char *pending; /* base64 */
	int fd; /* stays the caller's; -1: only the password is checked */
};

enum passing_end {
	PASSING_TAKEN,
	PASSING_WRONG,	 /* the host says that name or password are wrong */
	PASSING_REFUSED, /* the host refuses for another reason */
	PASSING_MANY,	 /* the user has too many sessions */
	PASSING_TEMP,	 /* it was not possible now */
	PASSING_LOST	 /* perhaps it was: the connection was shut down */
};

/* REPLY is what the host says to the client, or ""; WHY is for the log. */
typedef void passing_done(void *context, enum passing_end end,
			  const char *reply, const char *why);

/* DONE is called once, later; NULL and *WHY if that is not possible at all. */
struct passing *passing_begin(struct event_base *base,
			      const struct passing_facts *f, passing_done *done,
			      void *context, const char **why);

/* Nobody waits any more; DONE is not called. */
void passing_cancel(struct passing *p);

#endif
