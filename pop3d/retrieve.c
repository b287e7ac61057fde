#include "pop3d/retrieve.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "smtp/data.h"

#define BLOCK 65536

/* Where TOP is in the message, in text with CRLF line ends. */
struct top {
	long long lines; /* of the body still to send; -1: no limit */
	bool in_body;
	bool line_empty; /* nothing but CR since the last LF */
};

static int put(void *context, const void *data, size_t n)
{
	stream_put(context, data, n);
	return ERR_OK;
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
	struct smtp_data_writer w;
	char *block = mem_resize(NULL, BLOCK, 1);
	size_t n = 1, use = 1;
	int err = ERR_OK;

	smtp_data_write_begin(&w, put, io);
	while (!err && n > 0 && use == n) {
		err = mailbox_read(r, block, BLOCK, &n);
		use = err ? 0 : wanted(t, block, n);
		if (!err)
			err = smtp_data_write(&w, block, use);
	}
	if (!err)
		err = smtp_data_write_end(&w);
	free(block);
	return err;
}

int retrieve_send(struct stream *io, struct mailbox *m, uint32_t seq,
		  uint32_t size, long long lines)
{
	struct top t = { .lines = lines, .line_empty = true };
	struct mailbox_reader *r;
	uint32_t ignored;
	int err = mailbox_read_open(m, seq, &r, &ignored);

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
