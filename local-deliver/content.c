#include "local-deliver/content.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"

#define CHUNK 16384

void content_begin(struct content *c, const struct job *j, const char *prologue,
		   bool quote_from)
{
	*c = (struct content){ .fd = j->fd,
			       .at = j->offset,
			       .end = j->offset + j->length,
			       .prologue = prologue,
			       .quote_from = quote_from,
			       .line_start = true };
}

/* One line, or the part of it in this piece; quotes it if necessary. A line
 * split between two pieces is handled correctly: only its first part can have
 * line_start, and pieces end at line ends if possible. */
static void put_line(struct content *c, const char *data, size_t n,
		     struct buf *out)
{
	if (c->quote_from && c->line_start && n >= 5 &&
	    memcmp(data, "From ", 5) == 0)
		buf_putc(out, '>');
	c->line_start = data[n - 1] == '\n';
	if (c->line_start && n >= 2 && data[n - 2] == '\r') {
		buf_put(out, data, n - 2);
		buf_putc(out, '\n');
	} else {
		buf_put(out, data, n);
	}
}

static void convert(struct content *c, const char *data, size_t n,
		    struct buf *out)
{
	while (n > 0) {
		const char *lf = memchr(data, '\n', n);
		size_t len = lf ? (size_t)(lf - data) + 1 : n;

		put_line(c, data, len, out);
		data += len;
		n -= len;
	}
}

/* How many of N bytes to take now: up to the last line end, so that neither
 * CRLF nor "From " is split; else all except what could begin one of them. */
static size_t whole_lines(const char *data, size_t n)
{
	const char *lf = memrchr(data, '\n', n);

	return lf ? (size_t)(lf - data) + 1 : n - 1;
}

int content_next(struct content *c, struct buf *out)
{
	char data[CHUNK];
	off_t left = c->end - c->at;
	size_t n;

	if (*c->prologue) {
		n = strlen(c->prologue);
		if (n > CHUNK)
			n = whole_lines(c->prologue, CHUNK);
		convert(c, c->prologue, n, out);
		c->prologue += n;
		return ERR_OK;
	}
	if (left <= 0)
		return ERR_EOF;
	n = left < CHUNK ? (size_t)left : CHUNK;
	if (file_pread(c->fd, data, n, c->at))
		return ERR_IO;
	if ((off_t)n < left)
		n = whole_lines(data, n);
	convert(c, data, n, out);
	c->at += (off_t)n;
	return ERR_OK;
}
