/*
 * Why an attempt failed: set where it happens, passed to the code that decides
 * about the recipients, logged, and sent back to qmgr.
 */
#ifndef REMOTE_SEND_FAULT_H
#define REMOTE_SEND_FAULT_H

#include <stdbool.h>

#include "remote-send/reply.h"

#define FAULT_TEXT_SIZE 1024

struct fault {
	bool set;
	bool permanent;
	bool loop; /* the host is us */
	bool ours; /* one of our programs is missing, but back soon */
	char dsn[REPLY_DSN_SIZE];
	char text[FAULT_TEXT_SIZE];   /* for the log */
	char remote[REPLY_TEXT_SIZE]; /* what the host said, or "" */
	char relay[400];	      /* "host[ip]:port", or "" */
};

/* A fault that we found; permanent if DSN begins with 5. A long text is
 * truncated: only people read it. */
void fault_set(struct fault *f, const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Mail for DOMAIN would come back to us. Somebody's configuration is wrong,
 * perhaps ours: temporary, so that it can be mended. */
void fault_loop(struct fault *f, const char *domain);

/* What the server RELAY said, and WHEN, such as "in reply to end of DATA
 * command". */
void fault_from_reply(struct fault *f, const struct reply *r, const char *relay,
		      const char *when);

/* Makes a permanent fault a temporary one: 5.x.y becomes 4.x.y. */
void fault_soften(struct fault *f);

/* Of two faults of one attempt the temporary one counts, else the later one:
 * puts F into KEPT unless KEPT is temporary and F permanent. */
void fault_keep(struct fault *kept, const struct fault *f);

#endif
