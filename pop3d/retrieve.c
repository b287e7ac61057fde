#include "pop3d/retrieve.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define BLOCK 65536

/* Where TOP is in the message, in text with CRLF line ends. */
struct top {
	long long lines; /* of the body still to send; -1: no limit */
	bool in_body;
	bool line_empty; /* nothing but CR since the last LF */
};

/* Content with CRLF line ends on its way out: a dot at the start of a line is
 * doubled (RFC 1939 section 3). All other bytes stay as LIST counted them and
 * IMAP shows them; a bare CR does not end a line. */
struct writer {
	struct stream *io;
	bool line_start;
};

static void put(struct writer *w, const char *p, size_t n)
{
	const char *end = p + n, *lf;

	while (p < end) {
		if (w->line_start && *p == '.')
			stream_put(w->io, ".", 1);
		lf = memchr(p, '\n', (size_t)(end - p));
		n = (size_t)((lf ? lf + 1 : end) - p);
		stream_put(w->io, p, n);
		w->line_start = lf != NULL;
		p += n;
	}
}

static void put_end(struct writer *w)
{
	stream_puts(w->io, w->line_start ? ".\r\n" : "\r\n.\r\n");
}

/* How much of P, N is still wanted; N if all. */
static size_t wanted(struct top *t, const char *p, size_t n)
{
	size_t i = 0;

	if (t->lines < 0)
		return n;
	while (i < n) {
		const char *lf;

		if (t->in_body && t->lines == 0)
			return i;
		lf = memchr(p + i, '\n', n - i);
		for (; i < n && p + i != lf && t->line_empty; i++)
			t->line_empty = p[i] == '\r';
		if (!lf)
			return n;
		if (t->in_body)
			t->lines--;
		t->in_body = t->in_body || t->line_empty;
		t->line_empty = true;
		i = (size_t)(lf - p) + 1;
	}
	return n;
}

static int copy(struct stream *io, struct mailbox_reader *r, struct top *t)
{
	struct writer w = { io, true };
	char *block = mem_resize(NULL, BLOCK, 1);
	size_t n = 1, use = 1;
	int err = ERR_OK;

	while (!err && n > 0 && use == n) {
		err = mailbox_read(r, block, BLOCK, &n);
		use = err ? 0 : wanted(t, block, n);
		put(&w, block, use);
	}
	if (!err)
		put_end(&w);
	free(block);
	return err;
}

int retrieve_send(struct stream *io, struct mailbox *m, uint32_t seq,
		  long long lines, bool *begun)
{
	struct top t = { .lines = lines, .line_empty = true };
	struct mailbox_reader *r = NULL;
	uint32_t size;
	int err = mailbox_read_open(m, seq, &r, &size);

	*begun = !err;
	if (err)
		return err;
	if (lines < 0)
		stream_printf(io, "+OK %" PRIu32 " octets\r\n", size);
	else
		stream_puts(io, "+OK\r\n");
	err = copy(io, r, &t);
	mailbox_read_close(&r);
	return err;
}
