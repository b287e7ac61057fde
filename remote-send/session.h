/*
 * A conversation with one server: connection, greeting, EHLO, STARTTLS; and
 * what the server offers. A session outlives the message it was opened for:
 * the next one to the same destination uses it.
 */
#ifndef REMOTE_SEND_SESSION_H
#define REMOTE_SEND_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/stream.h"
#include "remote-send/fault.h"
#include "remote-send/reply.h"
#include "remote-send/settings.h"

enum feature {
	FEATURE_ESMTP = 1 << 0, /* it took EHLO */
	FEATURE_PIPELINING = 1 << 1,
	FEATURE_SIZE = 1 << 2,
	FEATURE_8BITMIME = 1 << 3,
	FEATURE_DSN = 1 << 4,
	FEATURE_SMTPUTF8 = 1 << 5,
	FEATURE_STARTTLS = 1 << 6,
	FEATURE_ENHANCED = 1 << 7
};

struct session {
	const struct settings *set;
	struct stream *stream; /* NULL: no session */
	char destination[320]; /* the hop that it was opened for */
	char relay[400];       /* "host[ip]:port" */
	unsigned features;
	int64_t size_limit; /* 0: none */
	int uses;	    /* messages it was used for */
	int64_t opened_ms;
	int client; /* as of wait_hang_up: nobody waits for what becomes of a
		     * message; or -1 */
	bool final; /* … but it may be the host's already */
	int64_t patience_ms; /* by clock_ms, until then replies must have
			      * come; 0: each has its own time limit only */
	bool tls;
	bool only;	/* the destination has no other address */
	bool reset_due; /* a transaction was left open: RSET comes first */
	bool ends;	/* the server said 421 */
};

/* The host to connect to. */
struct peer {
	const char *name; /* host name, or the address itself */
	const char *ip;
	int port;
};

/* The TLS required for the peer. */
struct tls_need {
	bool try;    /* if it is offered */
	bool must;   /* no mail without */
	bool verify; /* the certificate must prove the peer's name */
};

/* MS, a time limit, or what is left of S's patience if that is less. */
int64_t session_limit(const struct session *s, int64_t ms);

/* Is its patience over, or is nobody there who waits? */
bool session_is_late(const struct session *s);

/* Is nobody there who waits? A message that no host may have yet is not sent. */
bool session_is_deserted(const struct session *s);

/* The host may have the message from here on: its answer is worth waiting for,
 * whoever is there. False: before. */
void session_set_final(struct session *s, bool final);

/* "host[ip]:port", as in S->relay. */
void session_relay(const struct peer *p, char *out, size_t size);

/* Opens a session; false, and F, if that fails: no session then. */
bool session_open(struct session *s, const struct peer *peer,
		  const struct tls_need *tls, struct fault *f);

/* Ends it, if it is in order and POLITE with QUIT, whose reply is not awaited.
 * Harmless if there is none. */
void session_close(struct session *s, bool polite);

/* Reads a reply within MS. False, and F, if none came: the session is then
 * unusable. WHEN is for the text: "sending MAIL FROM". */
bool session_reply(struct session *s, int64_t ms, const char *when,
		   struct reply *r, struct fault *f);

/* Notes in S what the lines of an EHLO reply offer. The first one has the
 * server's name: false if that is ours, so that mail would loop. */
bool session_features(struct session *s, const char *lines, size_t n);

#endif
