/*
 * Replies of the servers that we talk to (RFC 5321 section 4.2). The parser
 * takes bytes and never reads: it says whether a reply is complete. What it
 * gives out is bounded and printable text, whatever the server sent.
 */
#ifndef REMOTE_SEND_REPLY_H
#define REMOTE_SEND_REPLY_H

#include <stddef.h>

#define REPLY_MAX 16384	    /* bytes of one reply, all lines */
#define REPLY_TEXT_SIZE 512 /* of what is kept */
#define REPLY_DSN_SIZE 12   /* "5.123.456" */

struct reply {
	int code;		    /* 200 to 599 */
	char dsn[REPLY_DSN_SIZE];   /* its enhanced code, or "C.0.0" */
	char text[REPLY_TEXT_SIZE]; /* code and text, the lines joined by
				     * spaces; cut if it is longer */
};

enum reply_state { REPLY_DONE, REPLY_MORE, REPLY_BAD };

/* Is there a whole reply in the N bytes at DATA? REPLY_DONE: *USED bytes are
 * it, R says what. REPLY_MORE: not yet. REPLY_BAD: these bytes never become
 * one. */
enum reply_state reply_parse(const char *data, size_t n, size_t *used,
			     struct reply *r);

#endif
