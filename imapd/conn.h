/*
 * One client's connection: commands in, replies out. The same on both sides
 * of the login.
 *
 * Replies are buffered by the stream and leave when a read would wait.
 */
#ifndef IMAPD_CONN_H
#define IMAPD_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "imapd/args.h"
#include "imapd/reader.h"
#include "io/stream.h"

struct conn {
	struct stream *io;
	struct reader reader;
	struct arena *arena; /* of the current command */
	struct args_limits limits;
	struct buf ahead;   /* input that came before the stream's */
	bool relayed; /* by a session that has accepted all literals but
		       * messages */
	bool streams; /* messages are left to the commands that take some */
	uint64_t nonsync_max; /* a longer literal must wait for us; 0: none */
	unsigned bad;	    /* bad commands in a row */
	uint64_t skipped;   /* bytes of the current command, given up */

	/* The current command. */
	const char *tag;
	const char *name;
	struct arg *args; /* after the name */
	bool literal;	  /* a literal that the command takes follows them */
	bool literal8;	  /* … in which all bytes may be (RFC 3516) */
	bool answered;	  /* the tagged reply was given */
};

enum conn_result {
	CONN_COMMAND, /* there is a command */
	CONN_BAD,     /* there was none, and the client was told */
	CONN_TIMEOUT,
	CONN_STOPPING, /* the suite stops, or the place is needed; only before
			* login */
	CONN_END       /* the connection is gone, or of no more use */
};

/* Over IO, with commands up to MAX bytes. */
void conn_init(struct conn *c, struct stream *io, size_t max);
void conn_free(struct conn *c);

/* Input that was read before IO was made: it comes first. */
void conn_prepend(struct conn *c, const char *data, size_t n);

/* The available input, like stream_window and stream_consume. */
const char *conn_window(struct conn *c, size_t *n);
void conn_consume(struct conn *c, size_t n);

/* Waits for more of it. */
enum conn_result conn_fill(struct conn *c);

/* The same without waiting, when the descriptor can be read: CONN_TIMEOUT if
 * what has come is not yet a byte of input. */
enum conn_result conn_look(struct conn *c);

/* From now on both directions are compressed. False: this is not possible. */
bool conn_deflate(struct conn *c);

/* Reads the next command. If conn->literal is set, only the literal's
 * announcement was read: the command takes its reader->literal bytes, or
 * refuses them, with the functions below. The arguments of such a command are
 * flat (args.h), whether a literal follows or not. */
enum conn_result conn_read(struct conn *c);

/* Between two commands: forgets the former one, and its memory. */
void conn_rest(struct conn *c);

/* Lets the client send the literal. */
void conn_accept_literal(struct conn *c);

/* Refuses the literal. If the client sends it unasked it is skipped; false
 * if that is too much, or the connection is gone. */
bool conn_skip_literal(struct conn *c);

/* The same without splitting what comes after it: it is in the reader's text
 * from *FROM on. False: it is no command, or the connection is gone. */
bool conn_more(struct conn *c, size_t *from);

/* After the literal's bytes were taken: c->args becomes what comes after it,
 * up to the end of the command or, if c->literal is set, the next literal.
 * False: *WHY it is invalid, or the connection is gone. */
bool conn_more_args(struct conn *c, const char **why);

/* The tagged reply of the current command: "OK …", "NO …", "BAD …". Only the
 * first one counts. */
void conn_reply(struct conn *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The input is not a valid command: sends the tagged BAD with WHY, and counts
 * a bad command. Gives false, so that a parser can return it. */
bool conn_bad(struct conn *c, const char *why);

/* Says BYE with WHY to a client that sends what cannot be taken: the caller
 * ends the connection, and the client gets to see this. */
void conn_cut(struct conn *c, const char *why);

/* An untagged line. */
void conn_put(struct conn *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
