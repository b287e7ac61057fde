/*
 * Assembles one command from bytes as they come: the line, and the literals
 * in it, each with the line that follows it. It never reads a socket and never
 * answers; it says what it needs. NUL is allowed in a literal8, "~{n}", only.
 *
 * The assembled text is the command as sent, a literal being "{n}" CRLF and
 * its bytes, without the last line end. Its length never exceeds the limit.
 */
#ifndef IMAPD_READER_H
#define IMAPD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum reader_result {
	READER_MORE,	 /* all bytes are taken: come with more */
	READER_DONE,	 /* reader->text is a whole command */
	READER_LITERAL,	 /* "{n}" is at the end: accept or refuse it */
	READER_TOO_LONG, /* over the limit; the rest of the line is skipped */
	READER_SYNTAX	 /* NUL, or an invalid literal; the same */
};

#define READER_START 136

enum reader_state {
	READER_IN_LINE,
	READER_AT_LITERAL, /* waits for accept or refuse */
	READER_IN_LITERAL,
	READER_SKIP_LITERAL,
	READER_SKIP_LINE,
	READER_ENDED
};

struct reader {
	struct buf text;
	enum reader_state state;
	enum reader_result failure; /* what READER_SKIP_LINE leads to */
	uint64_t literal;	    /* bytes of the literal still to come */
	bool nonsync;		    /* "{n+}": the client does not wait */
	bool binary;		    /* "~{n}" */
	char start[READER_START];   /* how a command that failed began */
};

void reader_init(struct reader *r, size_t max);
void reader_free(struct reader *r);

/* Forgets the command that ended and begins the next one. */
void reader_reset(struct reader *r);

/* Takes bytes of DATA, N; *USED says how many. */
enum reader_result reader_feed(struct reader *r, const char *data, size_t n,
			       size_t *used);

/* After READER_LITERAL. Accept: its bytes become part of the text; false if
 * they do not fit (it is then refused). */
bool reader_accept(struct reader *r);

/* Refuse: the command fails with RESULT. The bytes of a non-synchronising
 * literal and the rest of the line are skipped first; for any other the caller
 * answers at once and calls reader_reset. */
void reader_refuse(struct reader *r, enum reader_result result);

/* The caller has read the literal's bytes itself: the line goes on. */
void reader_taken(struct reader *r);

#endif
