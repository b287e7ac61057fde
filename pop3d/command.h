/*
 * One line of a POP3 client (RFC 1939 section 3, RFC 2449 section 4): a word
 * and its arguments. The same on both sides of the login.
 */
#ifndef POP3D_COMMAND_H
#define POP3D_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "io/stream.h"

#define COMMAND_LINE_MAX 512  /* RFC 2449: 255, but passwords are longer */
#define COMMAND_AUTH_MAX 8300 /* AUTH with an initial response */

struct command {
	char line[COMMAND_AUTH_MAX];
	const char *word;
	const char *args; /* all after the first space, or "" */
};

enum command_result {
	COMMAND_GOOD,
	COMMAND_BAD,	  /* not a command; the client was told */
	COMMAND_TIMEOUT,  /* it said nothing for too long */
	COMMAND_STOPPING, /* the suite stops, or the place is needed; only
			   * before login */
	COMMAND_END	  /* the connection is gone, or of no use */
};

/* Reads the next line from IO into C. */
enum command_result command_read(struct stream *io, struct command *c);

/* The arguments as one or two decimal numbers within [0, 2^32 - 1]; gives how
 * many there are, or -1 if they are something else. */
int command_numbers(const struct command *c, long long number[2]);

/* A reply line: "+OK …" or "-ERR …". */
void command_reply(struct stream *io, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
