/*
 * The envelope of a message: what SMTP says about it besides its content, and
 * what we know about its origin. Written once into the queue file; what
 * happens to the recipients afterwards is in the journal (queue/journal.h).
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

/* Bytes of an incoming header: a message with a longer one is refused. What we
 * add before it is shorter than this, so no header in the queue is longer than
 * twice as much. */
#define QUEUE_HEADER_MAX 262144

/* NOTIFY of RFC 3461 section 4.1; 0: the client said nothing. */
enum {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8
};

struct envelope_recipient {
	const char *address;	/* local@domain; UTF-8 allowed */
	unsigned notify;
	const char *orcpt;	/* "rfc822;…" decoded from xtext, or "" */
};

struct envelope {
	const char *sender;	/* "" is the null sender */
	struct envelope_recipient *recipient;
	size_t nrecipients;
	const char *envid;	/* ENVID of RFC 3461, or "" */
	const char *ret;	/* "FULL", "HDRS" or "" */
	const char *body;	/* "7BIT", "8BITMIME" or "" */
	bool smtputf8;
	int64_t arrival_us;	/* wall clock */
	const char *client;	/* IP address, "" for local programs */
	const char *client_name;
	const char *helo;
	const char *login;	/* authenticated user, or "" */
	const char *protocol;	/* "ESMTP", "ESMTPS", "ESMTPSA", "local" … */
	const char *tls;	/* "TLSv1.3 with cipher …" or "" */
	const char *hold;	/* why it is held from the start, or "" */
	const char *prologue;	/* header fields to put before the content at
				 * delivery, CRLF line ends, or "" */
};

/* The envelope as text records: "name value\n" with values in percent
 * encoding (base/encode.h), which no byte of mail data can forge. */
void envelope_write(struct buf *out, const struct envelope *e);

/* Parses records of N bytes; all memory from A. ERR_OK or ERR_SYNTAX. */
int envelope_read(struct arena *a, const char *data, size_t n,
		  struct envelope *e);

#endif
