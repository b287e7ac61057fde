/*
 * Line ends and dots: the one owner of both, for incoming and outgoing mail
 * (RFC 5321 sections 2.3.8 and 4.5.2). No other code looks for the end of a
 * message, or adds or removes a dot.
 *
 * The reader: only CRLF "." CRLF ends a message, and a dot means something
 * only at the start of a line that follows CRLF. A bare CR or LF never ends
 * anything: the message is refused at its end, or each becomes CRLF. So what a
 * reader gives out has only CRLF line ends, and no two servers can disagree
 * about where it ends ("SMTP smuggling").
 *
 * Both work on blocks as they come, split anywhere.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Takes N bytes of content; gives ERR_OK or the code that ends the work. */
typedef int smtp_data_sink(void *context, const void *data, size_t n);

enum smtp_data_state {
	SMTP_DATA_LINE_START, /* after CRLF, or nothing yet */
	SMTP_DATA_TEXT,	      /* within a line */
	SMTP_DATA_CR,	      /* after CR within a line; it is held back */
	SMTP_DATA_DOT,	      /* after a dot at a line's start */
	SMTP_DATA_DOT_CR,     /* after dot and CR there */
	SMTP_DATA_END	      /* after CRLF.CRLF */
};

struct smtp_data_reader {
	enum smtp_data_state state;
	bool dots; /* dots are doubled, and one alone ends: SMTP */
	bool bare; /* a bare CR or LF was seen */
	smtp_data_sink *sink;
	void *context;
};

/* Before each message. With DOTS it is the DATA of SMTP; without, text from a
 * local program, which may end its lines with LF, and has no end mark. */
void smtp_data_begin(struct smtp_data_reader *r, bool dots,
		     smtp_data_sink *sink, void *context);

/* Takes up to N bytes; *USED says how many belong to the message: fewer than N
 * only when it is over (state SMTP_DATA_END). Content goes to the sink without
 * stuffed dots, bare CR and LF as CRLF. Gives ERR_OK or the sink's code. */
int smtp_data_read(struct smtp_data_reader *r, const char *data, size_t n,
		   size_t *used) MUST_CHECK;

/* The end of text without dots: completes its last line. */
int smtp_data_finish(struct smtp_data_reader *r) MUST_CHECK;

/* The writer: sends content with CRLF line ends as SMTP wants it. Whatever the
 * content is, bare CR or LF never go out. */
struct smtp_data_writer {
	bool line_start;
	bool cr; /* the last byte was CR, and is held back */
	smtp_data_sink *sink;
	void *context;
};

void smtp_data_write_begin(struct smtp_data_writer *w, smtp_data_sink *sink,
			   void *context);
int smtp_data_write(struct smtp_data_writer *w, const char *data, size_t n)
	MUST_CHECK;
/* Completes the last line, and writes the end mark. */
int smtp_data_write_end(struct smtp_data_writer *w) MUST_CHECK;

#endif
