/* The writing half of smtp/data.h. */
#include "smtp/data.h"

#include <string.h>

#include "base/err.h"

void smtp_data_write_begin(struct smtp_data_writer *w, smtp_data_sink *sink,
			   void *context)
{
	*w = (struct smtp_data_writer){ .line_start = true,
					.sink = sink,
					.context = context };
}

/* The first byte from P that is bare, or starts a line with a dot; else
 * END. The line before P is whole if LINE_START. */
static const char *clean_run(const char *p, const char *end, bool line_start)
{
	while (p < end) {
		const char *lf, *stop, *cr;

		if (line_start && *p == '.')
			return p;
		lf = memchr(p, '\n', (size_t)(end - p));
		stop = lf ? lf : end;
		cr = memchr(p, '\r', (size_t)(stop - p));
		if (!cr)
			return stop;
		if (!lf || cr + 1 != lf)
			return cr;
		p = lf + 1;
		line_start = true;
	}
	return p;
}

static int put(struct smtp_data_writer *w, const char *data, size_t n)
{
	return n > 0 ? w->sink(w->context, data, n) : ERR_OK;
}

static int end_line(struct smtp_data_writer *w)
{
	w->cr = false;
	w->line_start = true;
	return put(w, "\r\n", 2);
}

/* At a dot, CR or LF that needs care: takes it. */
static int write_special(struct smtp_data_writer *w, const char **p)
{
	char c = *(*p)++;

	if (c == '\n')
		return end_line(w);
	if (c == '\r') {
		w->cr = true;
		return ERR_OK;
	}
	w->line_start = false;
	return put(w, "..", 2);
}

/* Writes the plain run at *P. */
static int write_run(struct smtp_data_writer *w, const char **p,
		     const char *end)
{
	const char *from = *p;
	size_t n;

	*p = clean_run(from, end, w->line_start);
	n = (size_t)(*p - from);
	if (n > 0)
		w->line_start = from[n - 1] == '\n';
	return put(w, from, n);
}

int smtp_data_write(struct smtp_data_writer *w, const char *data, size_t n)
{
	const char *p = data, *end = data + n;
	int err = ERR_OK;

	while (!err && p < end) {
		if (w->cr) {
			/* CRLF, or a bare CR, which becomes one */
			p += *p == '\n';
			err = end_line(w);
			continue;
		}
		err = write_run(w, &p, end);
		if (!err && p < end)
			err = write_special(w, &p);
	}
	return err;
}

int smtp_data_write_end(struct smtp_data_writer *w)
{
	int err = ERR_OK;

	if (w->cr || !w->line_start)
		err = end_line(w);
	return err ? err : put(w, ".\r\n", 3);
}
