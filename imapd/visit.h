/*
 * A connection to the session that serves the folders of another user: a visit
 * (others.h). Both sides speak IMAP. Commands go there as the client sent them,
 * and what comes back goes to the client as it is, or is read here line by
 * line.
 */
#ifndef IMAPD_VISIT_H
#define IMAPD_VISIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "imapd/session.h"

#define VISIT_TAG "visit" /* of our own commands, and of the greeting */

struct visit {
	char owner[ACCOUNT_USER_SIZE];
	struct stream *io;
	unsigned enabled;  /* of enum enabled: what it was told */
	unsigned notified; /* … and which NOTIFY: others.h */
	struct buf line;   /* the latest that was read */
};

enum visit_reply {
	VISIT_OK,
	VISIT_NO,
	VISIT_BAD,
	VISIT_PLUS, /* it waits for a literal, or for the end of IDLE */
	VISIT_LINE, /* an untagged response */
	VISIT_LOST  /* it is gone, or says what makes no sense */
};

/* Asks accountd for a visit to OWNER. ERR_NOT_FOUND, ERR_TEMP … */
int visit_open(struct session *s, const char *owner, struct visit **v);
void visit_close(struct visit **v);

/* Is there something to be read, or the end? Between commands, with nothing
 * selected there, it is the end. */
bool visit_has_come(const struct visit *v);

/* Sends our own command, without tag and line end. */
void visit_ask(struct visit *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The next response in v->line, with its literals, without the last line end:
 * VISIT_LINE, or the reply to our own command. */
enum visit_reply visit_read(struct visit *v);

/* Passes on to the client what comes, up to the reply to TAG, which is passed
 * on too if TAGGED; or until the other side waits. */
enum visit_reply visit_pass(struct session *s, struct visit *v, const char *tag,
			    bool tagged);

/* The same of what has come, without waiting: VISIT_LINE if the reply was not
 * among it. */
enum visit_reply visit_pass_some(struct session *s, struct visit *v,
				 const char *tag);

#endif
