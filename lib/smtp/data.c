#include "smtp/data.h"

#include <string.h>

#include "base/err.h"

void smtp_data_begin(struct smtp_data_reader *r, bool dots,
		     smtp_data_sink *sink, void *context)
{
	*r = (struct smtp_data_reader){ .state = SMTP_DATA_LINE_START,
					.dots = dots,
					.sink = sink,
					.context = context };
}

/* The byte after the run of lines from P that need no change: each ends with
 * CRLF, has no other CR or LF, and, with DOTS, the next one does not begin
 * with a dot. *WHOLE tells whether the run ends with CRLF. */
static const char *clean_run(const char *p, const char *end, bool dots,
			     bool *whole)
{
	*whole = false;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *stop = lf ? lf : end;
		const char *cr = memchr(p, '\r', (size_t)(stop - p));

		*whole = false;
		if (!cr)
			return stop;
		if (!lf || cr + 1 != lf)
			return cr;
		p = lf + 1;
		*whole = true;
		if (dots && p < end && *p == '.')
			return p;
	}
	return p;
}

static int put(struct smtp_data_reader *r, const char *data, size_t n)
{
	return n > 0 ? r->sink(r->context, data, n) : ERR_OK;
}

/* A bare CR or LF: becomes a line end. In SMTP a dot after it is just a dot,
 * since the line does not follow CRLF. */
static int put_bare(struct smtp_data_reader *r)
{
	r->bare = true;
	r->state = r->dots ? SMTP_DATA_TEXT : SMTP_DATA_LINE_START;
	return put(r, "\r\n", 2);
}

/* Within a line: moves *P past plain text. */
static int read_text(struct smtp_data_reader *r, const char **p,
		     const char *end)
{
	const char *from = *p;
	bool whole;
	int err;

	*p = clean_run(from, end, r->dots, &whole);
	err = put(r, from, (size_t)(*p - from));
	r->state = whole ? SMTP_DATA_LINE_START : SMTP_DATA_TEXT;
	if (err || whole || *p == end)
		return err;
	if (*(*p)++ == '\n')
		return put_bare(r);
	r->state = SMTP_DATA_CR;
	return ERR_OK;
}

/* After a CR: an LF makes it a line end. */
static int read_cr(struct smtp_data_reader *r, const char **p)
{
	if (**p != '\n')
		return put_bare(r);
	(*p)++;
	r->state = SMTP_DATA_LINE_START;
	return put(r, "\r\n", 2);
}

static int read_step(struct smtp_data_reader *r, const char **p,
		     const char *end)
{
	switch (r->state) {
	case SMTP_DATA_LINE_START:
		if (!r->dots || **p != '.')
			return read_text(r, p, end);
		(*p)++;
		r->state = SMTP_DATA_DOT;
		return ERR_OK;
	case SMTP_DATA_DOT:
		/* the dot itself is dropped, whatever follows */
		if (**p != '\r')
			return read_text(r, p, end);
		(*p)++;
		r->state = SMTP_DATA_DOT_CR;
		return ERR_OK;
	case SMTP_DATA_DOT_CR:
		if (**p != '\n')
			return put_bare(r);
		(*p)++;
		r->state = SMTP_DATA_END;
		return ERR_OK;
	case SMTP_DATA_CR:
		return read_cr(r, p);
	case SMTP_DATA_TEXT:
	case SMTP_DATA_END:
		break;
	}
	return read_text(r, p, end);
}

int smtp_data_read(struct smtp_data_reader *r, const char *data, size_t n,
		   size_t *used)
{
	const char *p = data, *end = data + n;
	int err = ERR_OK;

	while (!err && p < end && r->state != SMTP_DATA_END)
		err = read_step(r, &p, end);
	*used = (size_t)(p - data);
	return err;
}

int smtp_data_finish(struct smtp_data_reader *r)
{
	enum smtp_data_state state = r->state;

	r->state = SMTP_DATA_END;
	return state == SMTP_DATA_LINE_START ? ERR_OK : put(r, "\r\n", 2);
}
