/*
 * The text of a notice to a sender: multipart/report of RFC 6522 with a text
 * for people, message/delivery-status of RFC 3464, and the message or its
 * header; in the forms of RFC 6533 where an address needs UTF-8.
 */
#ifndef QUEUE_MANAGER_DSN_H
#define QUEUE_MANAGER_DSN_H

#include "queue-manager/message.h"

struct dsn {
	const struct message *m;
	int fd;			/* its queue file */
	const struct told_kind *kind;
	const char *sender;	/* it is about recipients with this sender */
	const char *to;		/* who is told: usually the sender */
	const char *id;		/* of the new message */
	const char *host;	/* myhostname */
	int64_t size_limit;	/* bounce_size_limit */
	time_t give_up;		/* when a delayed message is given up */
	bool utf8;		/* out: SMTPUTF8 is needed */
	bool eight_bit;		/* out: 8BITMIME is needed */
};

/* Is this recipient one that the notice is about? */
bool dsn_concerns(const struct dsn *d, const struct recipient *r);

/* Appends the notice, header and body, CRLF line ends. ERR_OK, ERR_IO if the
 * message cannot be read, ERR_TOO_LONG. */
int dsn_write(struct dsn *d, struct buf *out);

#endif
